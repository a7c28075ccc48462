#include "app/reloader.h"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "config/config.h"
#include "config/object_reader.h"
#include "runtime/generation.h"
#include "runtime/sandbox_plan.h"

namespace yett::app {
namespace {

constexpr int64_t kQuietMillis = 60;  // a change is applied once nothing more has changed for this long
constexpr int64_t kLongestMillis =
    2000;                               // or once it has lasted this long: one busy file must not hold back all others
constexpr int64_t kLookMillis = 2000;   // interval of checks that need no event
constexpr int64_t kGivenEvery = 1000;   // shortest time between two changes by the Workload API
constexpr int64_t kGivenAgain = 2000;   // what it gave and was refused is tried again
constexpr int64_t kAgainMillis = 1000;  // a refused change is retried once: a key may arrive after its certificate

int64_t nowMillis() {
  return base::steadyNanos() / 1'000'000;
}

}  // namespace

Reloader::Reloader(Server& server, base::Logger& log, const std::string& file)
    : server_(server), log_(log), file_(file), sources_(runtime::sourcesOf(server.generation()->config)), expiry_(log) {
  guarded([this] {
    expiry_.look(*server_.generation(), base::wallMicros() / 1'000'000);
    clock_offset_ = base::wallMicros() - base::steadyNanos() / 1000;
    watch(sources_);
    tried_ = watcher_.fingerprint();
  });
}

int Reloader::waitMillis() const {
  int64_t next = changing_ ? quiet_at_ : again_at_ > 0 ? std::min(again_at_, look_at_) : look_at_;
  if (given_at_ > 0) next = std::min(next, given_at_);
  return static_cast<int>(std::clamp<int64_t>(next - nowMillis(), 0, kLookMillis));
}

// Memory may run out, or a library may throw undocumented exceptions: keeps the current generation and reports the
// problem.
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
  } catch (...) {  // not enough memory to report it
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
    if (given_at_ > 0 && now >= given_at_) takeGiven();
    if (changing_ && now >= quiet_at_) {
      std::string seen = watcher_.fingerprint();
      if (seen == seen_) return void(reload(std::move(seen), true));
      if (now - changing_since_ >= kLongestMillis) {
        log_.warning("files of the configuration keep changing: trying their current contents");
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

void Reloader::onGiven() {
  guarded([this] {
    server_.takeGiven();
    if (given_at_ == 0) given_at_ = std::max(nowMillis(), given_taken_ + kGivenEvery);
  });
}

// Takes certificates and bundles only: a policy that is being written must not be read for this. Tried again while it
// is refused, since nothing else might happen for long.
void Reloader::takeGiven() {
  given_at_ = 0;
  given_taken_ = nowMillis();
  config::Problems problems(file_);
  base::FileTrust trust;
  const auto next = runtime::refreshTls(server_.generation(), server_.apiSources(), problems, trust);
  if (next && server_.differs(*next)) {
    auto applied = server_.apply(next);
    if (!applied) problems.add(file_ + ": " + applied.error().message);
  }
  if (problems.any() || server_.incomplete()) given_at_ = nowMillis() + kGivenAgain;
  if (problems.texts() == given_refusal_) return;
  given_refusal_ = problems.texts();
  if (problems.any()) server_.refused(given_refusal_);
  auto all = refusal_;
  all.insert(all.end(), given_refusal_.begin(), given_refusal_.end());
  server_.showRefusal(all, false);
}

bool Reloader::now() {
  bool changed = false;
  guarded([&] {
    changed = reload(watcher_.fingerprint(), true, true);
    if (!changed) log_.info("nothing to reload: the files have not changed");
  });
  return changed;
}

void Reloader::watch(std::vector<std::string> sources) {
  watcher_.watch(std::move(sources));
  if (watcher_.missing() != told_missing_ && !watcher_.missing().empty())
    log_.warning("file changes are detected only every two seconds", {{"why", watcher_.missing()}});
  told_missing_ = watcher_.missing();
  look_at_ = nowMillis() + kLookMillis;
}

void Reloader::look() {
  look_at_ = nowMillis() + kLookMillis;
  expiry_.look(*server_.generation(), base::wallMicros() / 1'000'000);
  lookAtClock();
  std::string seen = watcher_.fingerprint();
  if (seen == tried_) return;
  changing_ = true;
  changing_since_ = nowMillis();
  seen_ = std::move(seen);
  quiet_at_ = changing_since_ + kQuietMillis;
}

// Timers follow the steady clock, certificates the wall clock.
void Reloader::lookAtClock() {
  constexpr int64_t kStep = 2'000'000;  // microseconds; smaller ones are a clock that is kept right
  const int64_t offset = base::wallMicros() - base::steadyNanos() / 1000;
  const int64_t step = offset - std::exchange(clock_offset_, offset);
  if (std::abs(step) < kStep) return;
  log_.warning("the clock was stepped: certificates of open connections are checked again",
               {{"seconds", std::to_string(step / 1'000'000)}});
  server_.reviewSessions();
}

// Waits for no resolver: names are resolved elsewhere; on request, now.
bool Reloader::reload(std::string seen, bool may_again, bool look_up) {
  changing_ = false;
  again_at_ = 0;
  tried_ = std::move(seen);
  config::Problems problems(file_);
  base::FileTrust trust;
  if (look_up) server_.resolveNow();
  auto sources = addOutside(problems);
  bool restart = problems.any();
  std::shared_ptr<const runtime::Generation> next;
  if (!restart) {
    auto inputs = runtime::readInputs(file_, server_.apiSources(), problems, trust);
    sources = inputs.understood ? runtime::sourcesOf(inputs.config) : std::vector<std::string>{file_};
    next = runtime::build(std::move(inputs), server_.generation(), problems);
  }
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

// Adds what the sandbox does not allow, before anything is tried that would fail without saying why. Returns the files
// that the configuration names.
std::vector<std::string> Reloader::addOutside(config::Problems& problems) const {
  const auto& confinement = server_.confinement();
  config::Problems ignored(file_);
  base::FileTrust quiet;
  const auto wanted = config::readConfig(file_, ignored, quiet);
  if (!ignored.any()) {
    for (const auto& what : confinement.outside(wanted)) problems.add(file_ + ": " + what);
    if (wanted.identity.workload_api != server_.generation()->config.identity.workload_api)
      problems.add(file_ +
                   ": `identity.workload_api` cannot be changed while running: restart yett, or undo the change");
    return runtime::sourcesOf(wanted);
  }
  // Its own problems are reported when it is read again; unless it cannot be read any more.
  if (const std::string why = confinement.whyReplaced(file_); !why.empty()) problems.add(file_ + ": " + why);
  return {file_};
}

// A configuration that is refused or needs a restart must not hold back policies or certificates.
bool Reloader::applyRest(config::Problems& problems) {
  config::Problems found(file_);
  base::FileTrust trust;
  const auto rest = runtime::refresh(server_.generation(), server_.apiSources(), found, trust);
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

// Watches the files in force and the refused ones: fixing a file must be enough, without touching the configuration.
void Reloader::follow(std::vector<std::string> sources, bool refused) {
  if (refused) {
    for (auto& path : runtime::sourcesOf(server_.generation()->config)) {
      if (std::find(sources.begin(), sources.end(), path) == sources.end()) sources.push_back(std::move(path));
    }
  }
  const bool same = sources == sources_;
  sources_ = sources;
  watch(std::move(sources));
  // Keeps the fingerprint of what was tried, so that a change since then is noticed. Newly watched files cannot be
  // compared: they are tried once more.
  if (!same) tried_.clear();
}

// Reports each problem once, even if it is retried.
void Reloader::refuse(const std::vector<std::string>& problems) {
  if (!problems.empty() && problems != refusal_) server_.refused(problems);
  refusal_ = problems;
}

}  // namespace yett::app
