#include "app/reloader.h"

#include <algorithm>
#include <exception>

#include "base/clock.h"
#include "base/file.h"
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
  guarded([this] {
    watch(sources_);
    tried_ = watcher_.fingerprint();
  });
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
      if (seen == seen_) return void(reload(std::move(seen), true));
      if (now - changing_since_ >= kLongestMillis) {
        log_.warning("files behind the configuration do not stop changing: what stands there now is tried");
        return void(reload(std::move(seen), true));
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

bool Reloader::now() {
  bool changed = false;
  guarded([&] {
    changed = reload(watcher_.fingerprint(), true, true);
    if (!changed) log_.info("nothing to reload: the files are those in force");
  });
  return changed;
}

void Reloader::watch(std::vector<std::string> sources) {
  watcher_.watch(std::move(sources));
  if (watcher_.missing() != told_missing_ && !watcher_.missing().empty())
    log_.warning("changes of files are seen only every two seconds", {{"why", watcher_.missing()}});
  told_missing_ = watcher_.missing();
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

// Names are looked up again where people ask for it, or the configuration changes: an urgent policy does not wait for a
// resolver.
bool Reloader::reload(std::string seen, bool may_again, bool look_up) {
  changing_ = false;
  again_at_ = 0;
  tried_ = std::move(seen);
  config::Problems problems(file_);
  base::FileTrust trust;
  const auto& known = *server_.generation();
  const auto text = base::readFile(file_);
  look_up = look_up || (text && text.value() != known.config.text);
  auto inputs = runtime::readInputs(file_, known.clusters, look_up, problems, trust);
  auto sources = inputs.understood ? sourcesOf(inputs.config) : std::vector<std::string>{file_};
  const auto next = runtime::build(std::move(inputs), server_.generation(), problems);
  bool restart = false;
  bool changed = next && server_.differs(*next);
  if (changed) {
    auto possible = server_.checkRestartOnly(*next);
    restart = !possible;
    auto applied = possible ? server_.apply(next) : std::move(possible);
    if (!applied) problems.add(file_ + ": " + applied.error().message);
  }
  if (problems.any()) changed |= applyRest(problems);
  follow(std::move(sources), problems.any());
  const bool again = problems.any() ? may_again : server_.incomplete();
  if (again) again_at_ = nowMillis() + kAgainMillis;
  refuse(problems.texts());
  server_.showRefusal(problems.texts(), restart);
  look();
  return changed || problems.any();
}

// A refused configuration, or one that needs a restart, holds back no policy and no certificate.
bool Reloader::applyRest(config::Problems& problems) {
  config::Problems found(file_);
  base::FileTrust trust;
  const auto rest = runtime::refresh(server_.generation(), found, trust);
  const bool changed = server_.differs(*rest);
  if (changed) {
    auto applied = server_.apply(rest);
    if (!applied) found.add(file_ + ": " + applied.error().message);
  }
  for (const auto& text : found.texts()) {
    const auto& known = problems.texts();
    if (std::find(known.begin(), known.end(), text) == known.end()) problems.add(text);
  }
  return changed;
}

// Watches what is in force, and what was refused: whoever mends it must not have to touch the configuration again.
void Reloader::follow(std::vector<std::string> sources, bool refused) {
  if (refused) {
    for (auto& path : sourcesOf(server_.generation()->config)) {
      if (std::find(sources.begin(), sources.end(), path) == sources.end()) sources.push_back(std::move(path));
    }
  }
  const bool same = sources == sources_;
  sources_ = sources;
  watch(std::move(sources));
  // What was tried counts, not what is there by now: a change in between must be seen. Files that were not watched
  // before cannot be compared: they are tried once more.
  if (!same) tried_.clear();
}

// Each once, though it is tried again and again.
void Reloader::refuse(const std::vector<std::string>& problems) {
  if (!problems.empty() && problems != refusal_) server_.refused(problems);
  refusal_ = problems;
}

}  // namespace yett::app
