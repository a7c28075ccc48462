#include "app/reloader.h"

#include <algorithm>
#include <exception>

#include "base/clock.h"
#include "config/config.h"
#include "config/object_reader.h"
#include "runtime/generation.h"

namespace yett::app {
namespace {

constexpr int64_t kQuietMillis = 60;  // a change is taken when nothing more has changed for so long
constexpr int64_t kLongestMillis =
    2000;  // or when it has gone on for so long: one busy file must not hold back all others
constexpr int64_t kLookMillis = 2000;   // a look without being told
constexpr int64_t kAgainMillis = 1000;  // a refused change is tried once more: a key may arrive after its certificate

int64_t nowMillis() {
  return base::steadyNanos() / 1'000'000;
}

}  // namespace

Reloader::Reloader(Server& server, base::Logger& log, const std::string& file)
    : server_(server), log_(log), file_(file), sources_(sourcesOf(server.generation()->config)) {
  guarded([this] { watch(server_.generation()->config); });
}

int Reloader::waitMillis() const {
  const int64_t next = changing_ ? quiet_at_ : again_at_ > 0 ? std::min(again_at_, look_at_) : look_at_;
  return static_cast<int>(std::clamp<int64_t>(next - nowMillis(), 0, kLookMillis));
}

// Memory may be short, or a library may throw what it does not say: the generation in force goes on, and people are
// told.
template <typename Step>
void Reloader::guarded(Step step) {
  std::string why;
  try {
    return step();
  } catch (const std::exception& e) {
    why = e.what();
  } catch (...) {
    why = "unknown";
  }
  changing_ = false;
  again_at_ = nowMillis() + kAgainMillis;
  look_at_ = nowMillis() + kLookMillis;
  try {
    refuse({file_ + ": cannot be reloaded: " + why});
  } catch (...) {  // not even memory to say so
  }
}

void Reloader::onEvents() {
  guarded([this] {
    watcher_.drainEvents();
    if (!changing_) look();
  });
}

void Reloader::onTime() {
  guarded([this] {
    const int64_t now = nowMillis();
    if (changing_ && now >= quiet_at_) {
      std::string seen = watcher_.fingerprint();
      if (seen == seen_) return reload(seen, true);
      if (now - changing_since_ >= kLongestMillis) {
        log_.warning("files behind the configuration do not stop changing: what stands there now is tried");
        return reload(seen, true);
      }
      seen_ = std::move(seen);
      quiet_at_ = now + kQuietMillis;
    } else if (!changing_ && again_at_ > 0 && now >= again_at_) {
      again_at_ = 0;
      reload(watcher_.fingerprint(), false);
    } else if (!changing_ && now >= look_at_) {
      look();
    }
  });
}

void Reloader::now() {
  guarded([this] { reload(watcher_.fingerprint(), true); });
}

void Reloader::watch(const config::Config& config) {
  watcher_.watch(sourcesOf(config));
  if (watcher_.missing() != told_missing_ && !watcher_.missing().empty())
    log_.warning("changes of files are seen only every two seconds", {{"why", watcher_.missing()}});
  told_missing_ = watcher_.missing();
  tried_ = watcher_.fingerprint();
  look_at_ = nowMillis() + kLookMillis;
}

void Reloader::look() {
  look_at_ = nowMillis() + kLookMillis;
  std::string seen = watcher_.fingerprint();
  if (seen == tried_) return;
  changing_ = true;
  changing_since_ = nowMillis();
  seen_ = std::move(seen);
  quiet_at_ = changing_since_ + kQuietMillis;
}

void Reloader::reload(std::string seen, bool may_again) {
  changing_ = false;
  again_at_ = 0;
  tried_ = std::move(seen);
  config::Problems problems(file_);
  base::FileTrust trust;
  auto next = runtime::readAndBuild(file_, server_.generation(), problems, trust);
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
    if (server_.incomplete()) again_at_ = nowMillis() + kAgainMillis;
    return look();
  }
  watcher_.watch(sources_);  // what was watched may have been replaced by what was refused
  if (may_again) again_at_ = nowMillis() + kAgainMillis;
  refuse(problems.texts());
}

// Each once, though it is tried again and again.
void Reloader::refuse(const std::vector<std::string>& problems) {
  if (problems != refusal_) server_.refused(problems);
  refusal_ = problems;
}

}  // namespace yett::app
