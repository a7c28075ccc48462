#include "app/run.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <thread>

#include "app/confinement.h"
#include "app/main_tasks.h"
#include "app/notify.h"
#include "app/reloader.h"
#include "app/server.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "config/object_reader.h"
#include "runtime/generation.h"

namespace yett::app {
namespace {

int blockSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a write over the file size limit then fails, as on a full disk
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

enum class Wanted { kNothing, kEnd, kEndNow };

// What the main thread waits for, besides the files.
struct Control {
  int signals;
  MainTasks& tasks;
  Server& server;
  ServiceManager& manager;
};

Result<std::string> reload(Reloader& reloader, const Server& server) {
  const bool changed = reloader.now();
  if (!reloader.refusal().empty()) return Error{base::joined(reloader.refusal(), "\n")};
  std::string out;
  json::ObjectWriter(out).flag("changed", changed).field("policy", server.generation()->policy->digest()).end();
  return out;
}

// Runs a command from the admin interface. `draining`: reloads are refused.
Wanted takeTask(Control& control, Reloader& reloader, bool draining) {
  auto wanted = Wanted::kNothing;
  control.tasks.serve([&](const std::string& command) -> Result<std::string> {
    if (command == "reload" && !draining) return reload(reloader, control.server);
    if (command == "reload") return Error{"yett is draining and does not reload any more"};
    wanted = Wanted::kEnd;
    return std::string(R"({"draining":true})");
  });
  return wanted;
}

Wanted takeSignals(int fd, Reloader& reloader) {
  signalfd_siginfo info{};
  auto out = Wanted::kNothing;
  while (::read(fd, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR1) reloader.reopenLogs();
    if (info.ssi_signo == SIGHUP) reloader.now();
    else if (info.ssi_signo == SIGUSR1) continue;
    else if (info.ssi_signo == SIGQUIT) return Wanted::kEndNow;
    else out = Wanted::kEnd;
  }
  return out;
}

// Handles file changes and signals until `until` (steady milliseconds; negative: forever), or until told to stop.
Wanted follow(Control& control, Reloader& reloader, int64_t until) {
  for (;;) {
    const int64_t left = until < 0 ? INT64_MAX : until - base::steadyNanos() / 1'000'000;
    if (left <= 0) return Wanted::kNothing;
    pollfd ready[] = {{control.signals, POLLIN, 0},
                      {reloader.fd(), POLLIN, 0},
                      {control.tasks.fd(), POLLIN, 0},
                      {control.server.givenFd(), POLLIN, 0}};
    const int64_t wait = std::min<int64_t>({left, reloader.waitMillis(), control.manager.waitMillis()});
    ::poll(ready, 4, static_cast<int>(wait));
    if (control.server.alive()) control.manager.alive();
    if ((ready[0].revents & POLLIN) != 0) {
      if (const auto wanted = takeSignals(control.signals, reloader); wanted != Wanted::kNothing) return wanted;
    }
    if ((ready[2].revents & POLLIN) != 0) {
      if (const auto wanted = takeTask(control, reloader, false); wanted != Wanted::kNothing) return wanted;
    }
    if ((ready[1].revents & POLLIN) != 0) reloader.onEvents();
    if ((ready[3].revents & POLLIN) != 0) reloader.onGiven();
    reloader.onTime();
  }
}

// First not ready but still reloading, until load balancers notice; then draining. A second SIGTERM ends the first
// wait, SIGQUIT ends both.
void end(Control& control, Reloader& reloader) {
  Server& server = control.server;
  control.manager.stopping();
  server.announceEnd();
  const int64_t delay = server.generation()->config.shutdown.delay.count();
  const int64_t until = base::steadyNanos() / 1'000'000 + delay;
  if (delay > 0 && follow(control, reloader, until) == Wanted::kEndNow) return;
  server.drain([&] {
    takeTask(control, reloader, true);
    if (control.server.alive()) control.manager.alive();
    return takeSignals(control.signals, reloader) == Wanted::kEndNow;
  });
}

}  // namespace

namespace {

// Shells limit a process to 1024 descriptors but let it raise the limit; each proxied connection takes two.
void raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run(const std::string& name, base::Logger::Level level, bool unsafe) {
  raiseDescriptorLimit();
  const int signals = blockSignals();  // before any thread starts, so that all inherit it
  if (signals < 0) {
    std::cerr << "yett: not started: cannot wait for signals: " << std::strerror(errno) << "\n";
    return 2;
  }
  // Absolute from here on: a deploy may replace the working directory.
  std::error_code error;
  const std::string config_file = std::filesystem::absolute(name, error).lexically_normal().string();
  if (error) {
    std::cerr << "yett: not started: cannot find the working directory: " << error.message() << "\n";
    return 2;
  }
  ServiceManager manager;
  auto confinement = confineFor(config_file, unsafe);  // before any thread starts and any plugin is loaded
  if (!confinement) {
    std::cerr << "yett: not started: " << base::forTerminal(confinement.error().message) << "\n";
    return 2;
  }
  config::Problems problems(config_file);
  base::FileTrust trust;
  auto generation = runtime::readAndBuild(config_file, nullptr, problems, trust);
  if (!generation) {
    for (const auto& problem : problems.texts()) std::cerr << "yett: " << base::forTerminal(problem) << "\n";
    std::cerr << "yett: not started: " << problems.texts().size()
              << (problems.texts().size() == 1 ? " problem\n" : " problems\n");
    return 2;
  }
  if (!unsafe && !confinement.value().plan) {  // it had problems when the sandbox was to be made from it
    std::cerr << "yett: not started: the configuration changed while it was read: start again\n";
    return 2;
  }
  base::LineSink errors(STDERR_FILENO);
  base::Logger log(errors, level);
  MainTasks tasks;
  auto server = Server::start(generation, log, tasks, std::move(confinement).value());
  generation.reset();
  if (!server) {
    std::cerr << "yett: not started: " << server.error().message << "\n";
    return 2;
  }
  Reloader reloader(*server.value(), log, config_file);
  Control control{signals, tasks, *server.value(), manager};
  manager.ready();
  if (follow(control, reloader, -1) == Wanted::kEnd) end(control, reloader);
  if (const auto stopped = server.value()->stop(); stopped != Server::Stopped::kWhole) {
    std::cerr.flush();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // for the last lines of the log
    std::_Exit(stopped == Server::Stopped::kWithoutSink ? 0 : 1);
  }
  server.value().reset();
  log.info("stopped");
  ::close(signals);
  return 0;
}

}  // namespace yett::app
