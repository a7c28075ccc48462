#include "app/run.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "app/server.h"
#include "app/watcher.h"
#include "base/clock.h"

namespace yett::app {
namespace {

constexpr int64_t kQuietMillis = 60;    // a change is taken when nothing more has changed for so long
constexpr int64_t kLookMillis = 2000;   // a look without being told
constexpr int64_t kAgainMillis = 1000;  // a refused change is tried once more: a key may arrive after its certificate

int64_t nowMillis() {
  return base::steadyNanos() / 1'000'000;
}

// Follows the files: knows what was tried, what is changing, and when to try.
class Reloader {
 public:
  Reloader(Server& server, const std::string& file)
      : server_(server), file_(file), sources_(sourcesOf(server.generation()->config)) {
    watch(server.generation()->config);
  }

  int fd() const { return watcher_.fd(); }
  int waitMillis() const {
    const int64_t next = changing_ ? quiet_at_ : again_at_ > 0 ? std::min(again_at_, look_at_) : look_at_;
    return static_cast<int>(std::max<int64_t>(0, next - nowMillis()));
  }

  void onEvents() {
    watcher_.drainEvents();
    if (!changing_) look();
  }

  void onTime() {
    const int64_t now = nowMillis();
    if (changing_ && now >= quiet_at_) {
      std::string seen = watcher_.fingerprint();
      if (seen == seen_) return reload(seen, true);
      seen_ = std::move(seen);
      quiet_at_ = now + kQuietMillis;
    } else if (!changing_ && again_at_ > 0 && now >= again_at_) {
      again_at_ = 0;
      reload(watcher_.fingerprint(), false);
    } else if (now >= look_at_) {
      look();
    }
  }

  void now() { reload(watcher_.fingerprint(), true); }

 private:
  void watch(const config::Config& config) {
    watcher_.watch(sourcesOf(config));
    tried_ = watcher_.fingerprint();
    look_at_ = nowMillis() + kLookMillis;
  }

  void look() {
    look_at_ = nowMillis() + kLookMillis;
    std::string seen = watcher_.fingerprint();
    if (seen == tried_) return;
    changing_ = true;
    seen_ = std::move(seen);
    quiet_at_ = nowMillis() + kQuietMillis;
  }

  void reload(std::string seen, bool may_again) {
    changing_ = false;
    again_at_ = 0;
    tried_ = std::move(seen);
    config::Problems problems(file_);
    base::FileTrust trust;
    auto next = runtime::build(file_, server_.generation(), problems, trust);
    if (next) {
      auto applied = server_.apply(next);
      if (!applied) problems.add(file_ + ": " + applied.error().message);
    }
    if (!problems.any()) {
      refusal_.clear();
      const std::string built_from = tried_;
      watch(next->config);
      // What was built from counts, not what is there by now: a change in between must be seen.
      if (sourcesOf(next->config) == sources_) tried_ = built_from;
      sources_ = sourcesOf(next->config);
      return look();
    }
    watcher_.watch(sources_);  // what was watched may have been replaced by what was refused
    if (may_again) again_at_ = nowMillis() + kAgainMillis;
    if (problems.texts() != refusal_) server_.refused(problems.texts());
    refusal_ = problems.texts();
  }

  Server& server_;
  const std::string file_;
  std::vector<std::string> sources_;
  Watcher watcher_;
  std::string tried_;  // fingerprint of what the last reload was built from
  std::string seen_;   // fingerprint of a change that may go on
  std::vector<std::string> refusal_;
  bool changing_ = false;
  int64_t quiet_at_ = 0;
  int64_t look_at_ = 0;
  int64_t again_at_ = 0;
};

int blockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a limit on file size is a write that fails, like a full disk
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// True when it is time to end.
bool takeSignals(int fd, Reloader& reloader) {
  signalfd_siginfo info{};
  while (::read(fd, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGHUP) return true;
    reloader.now();
  }
  return false;
}

}  // namespace

namespace {

// Shells give a process 1024 descriptors and let it ask for more; each proxied connection takes two.
void raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run(const std::string& config_file, base::Logger::Level level) {
  raiseDescriptorLimit();
  const int signals = blockSignals();  // before any thread starts, so that all inherit it
  config::Problems problems(config_file);
  base::FileTrust trust;
  auto generation = runtime::build(config_file, nullptr, problems, trust);
  if (!generation) {
    for (const auto& problem : problems.texts()) std::cerr << "yett: " << problem << "\n";
    std::cerr << "yett: not started: " << problems.texts().size()
              << (problems.texts().size() == 1 ? " problem\n" : " problems\n");
    return 2;
  }
  base::LineSink errors(STDERR_FILENO, false);
  base::Logger log(errors, level);
  auto server = Server::start(generation, log);
  generation.reset();
  if (!server) {
    std::cerr << "yett: not started: " << server.error().message << "\n";
    return 2;
  }
  Reloader reloader(*server.value(), config_file);
  for (;;) {
    pollfd ready[] = {{signals, POLLIN, 0}, {reloader.fd(), POLLIN, 0}};
    ::poll(ready, 2, reloader.waitMillis());
    if ((ready[0].revents & POLLIN) != 0 && takeSignals(signals, reloader)) break;
    if ((ready[1].revents & POLLIN) != 0) reloader.onEvents();
    reloader.onTime();
  }
  server.value()->drain();
  server.value().reset();
  log.info("stopped");
  ::close(signals);
  return 0;
}

}  // namespace yett::app
