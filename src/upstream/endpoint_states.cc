#include "upstream/endpoint_states.h"

#include <algorithm>
#include <utility>

namespace yett::upstream {
namespace {

constexpr int64_t kFirstRest = 500;  // milliseconds
constexpr int64_t kLongestRest = 10'000;
constexpr int64_t kLongestEjection = 300'000;  // as in other proxies: a service that was mended gets traffic again
constexpr int64_t kTrial = 10'000;             // after that, another request may try

}  // namespace

EndpointStates::EndpointStates(size_t endpoints, const OutlierConfig& outliers, Changed changed)
    : outliers_(outliers), changed_(std::move(changed)), states_(endpoints) {
  for (auto& state : states_) state.health = std::make_shared<EndpointHealth>();
}

void EndpointStates::adopt(const Endpoints& endpoints, const std::vector<size_t>& from) {
  std::vector<State> made(endpoints.size());
  const bool first = states_.empty();
  for (size_t i = 0; i < endpoints.size(); ++i) {
    if (from[i] < states_.size()) made[i] = states_[from[i]];
    else made[i].was_usable = first;  // a new one among others is warmed up by slow_start
    made[i].health = endpoints[i]->health;
  }
  states_ = std::move(made);
  ++changes_;
}

bool EndpointStates::healthy(size_t endpoint, int64_t now_millis) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const EndpointHealth& health = *states_[endpoint].health;
  if (!health.healthy.load(kRelaxed)) return false;
  if (!health.on_trial.load(kRelaxed) || outliers_.consecutive_failures == 0) return true;
  return health.ejected_until.load(kRelaxed) <= now_millis && health.trial_until.load(kRelaxed) <= now_millis;
}

EndpointStates::Claim EndpointStates::claim(size_t endpoint, int64_t now_millis) {
  EndpointHealth& health = *states_[endpoint].health;
  if (!health.on_trial.load(std::memory_order_relaxed) || outliers_.consecutive_failures == 0) return {};
  if (health.ejected_until > now_millis) return {};  // taken for want of others
  int64_t until = health.trial_until;
  if (until > now_millis) return {.taken = true};
  if (until != 0 && health.trial_answered.load(std::memory_order_relaxed)) {  // a stream that has not broken off
    endTrial(endpoint, now_millis);
    return {};
  }
  ++changes_;
  if (!health.trial_until.compare_exchange_strong(until, now_millis + kTrial)) return {.taken = true};
  return {.trial = now_millis + kTrial};
}

void EndpointStates::disclaim(size_t endpoint, int64_t trial) {
  ++changes_;
  states_[endpoint].health->trial_until.compare_exchange_strong(trial, 0);
}

void EndpointStates::forgetSpeaks() {
  for (auto& state : states_) state.speaks = Speaks::kUnknown;
}

int64_t EndpointStates::usableSince(size_t endpoint, int64_t now_millis) {
  State& state = states_[endpoint];
  const bool now = usable(endpoint, now_millis);
  if (now && !state.was_usable) state.usable_since = now_millis;
  state.was_usable = now;
  return state.usable_since;
}

void EndpointStates::began(size_t endpoint) {
  ++states_[endpoint].in_flight;
}

void EndpointStates::ended(size_t endpoint, int64_t now_millis, int64_t trial) {
  --states_[endpoint].in_flight;
  EndpointHealth& health = *states_[endpoint].health;
  if (!isTrial(health, trial)) return;
  // A trial that its caller gave up has shown nothing, unless its answer had begun: else another request may try.
  if (health.trial_answered) endTrial(endpoint, now_millis);
  else disclaim(endpoint, trial);
}

void EndpointStates::trying(size_t endpoint, int64_t now_millis, int64_t limit) {
  State& state = states_[endpoint];
  if (!state.was_unreachable) return;
  state.resting_until = std::max(state.resting_until, now_millis + limit);
  ++changes_;
}

void EndpointStates::unreachable(size_t endpoint, int64_t now_millis, const std::string& why) {
  State& state = states_[endpoint];
  const int64_t rest = std::min(kLongestRest, kFirstRest << std::min<uint32_t>(state.rests++, 10));
  state.resting_until = now_millis + rest;
  state.was_unreachable = true;
  ++changes_;
  failed(endpoint, now_millis, why, state.health->trial_until);
}

void EndpointStates::reached(size_t endpoint) {
  State& state = states_[endpoint];
  if (!std::exchange(state.was_unreachable, false)) return;
  state.resting_until = state.rests = 0;
  ++changes_;
}

void EndpointStates::doubt(size_t endpoint) {
  ++states_[endpoint].doubts;
  ++changes_;
}

void EndpointStates::endDoubt(size_t endpoint) {
  --states_[endpoint].doubts;
  ++changes_;
}

void EndpointStates::failed(size_t endpoint, int64_t now_millis, const std::string& why, int64_t trial) {
  EndpointHealth& health = *states_[endpoint].health;
  health.failures.fetch_add(1, std::memory_order_relaxed);
  if (outliers_.consecutive_failures == 0 || health.ejected_until > now_millis) return;
  const uint32_t failures = ++health.failed;
  // One that was just given another chance is out again at once.
  if (isTrial(health, trial) || failures >= outliers_.consecutive_failures)
    eject(endpoint, now_millis, failures, why, false);
}

void EndpointStates::brokeOff(size_t endpoint, int64_t now_millis, const std::string& why, int64_t trial) {
  EndpointHealth& health = *states_[endpoint].health;
  health.failures.fetch_add(1, std::memory_order_relaxed);
  if (outliers_.consecutive_failures == 0 || health.ejected_until > now_millis) return;
  const uint32_t failures = ++health.broken;
  if (isTrial(health, trial) || failures >= outliers_.consecutive_failures)
    eject(endpoint, now_millis, failures, why, true);
}

size_t EndpointStates::ejectedNow(int64_t now_millis) const {
  return static_cast<size_t>(std::count_if(states_.begin(), states_.end(), [&](const State& state) {
    return state.health->ejected_until.load(std::memory_order_relaxed) > now_millis;
  }));
}

// Loops may get here at the same moment: the worst is one more ejection than the limit, or a longer one.
void EndpointStates::eject(size_t endpoint, int64_t now_millis, uint32_t failures, const std::string& why,
                           bool for_broken) {
  const size_t most = states_.size() * static_cast<size_t>(outliers_.max_ejection_percent) / 100;
  EndpointHealth& health = *states_[endpoint].health;
  health.trial_until = 0;
  health.trial_answered = false;
  if (ejectedNow(now_millis) >= most) return;
  const int64_t base = outliers_.base_ejection_time.count();
  const int64_t length = std::min(base * ++health.ejections, std::max(base, kLongestEjection));
  health.ejected_until = now_millis + length;
  health.forgive_at = now_millis + length + base;
  health.on_trial = true;
  health.for_broken = for_broken;
  health.failed = health.broken = 0;
  ++changes_;
  const std::string times = std::to_string(failures) + (failures == 1 ? " failure" : " failures in a row");
  if (changed_) changed_(endpoint, true, "for " + std::to_string(length / 1000) + "s: " + times + ", the last: " + why);
}

void EndpointStates::endTrial(size_t endpoint, int64_t now_millis) {
  EndpointHealth& health = *states_[endpoint].health;
  if (health.on_trial.exchange(false)) {
    health.trial_until = 0;
    health.for_broken = health.trial_answered = false;
    ++changes_;
    if (changed_) changed_(endpoint, false, "it answers");
  }
  int64_t due = health.forgive_at;
  if (now_millis < due) return;
  if (!health.forgive_at.compare_exchange_strong(due, now_millis + outliers_.base_ejection_time.count())) return;
  uint32_t count = health.ejections;
  if (count > 0) health.ejections.compare_exchange_strong(count, count - 1);
}

void EndpointStates::succeeded(size_t endpoint, int64_t now_millis, int64_t trial) {
  EndpointHealth& health = *states_[endpoint].health;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  if (health.failed.load(kRelaxed) == 0 && health.ejections.load(kRelaxed) == 0) return;  // nearly always
  if (health.ejected_until > now_millis) return;  // of a request that began before
  if (health.on_trial && !isTrial(health, trial)) return;
  health.failed = 0;
  if (health.on_trial && health.for_broken) health.trial_answered = true;
  else if (health.ejections > 0) endTrial(endpoint, now_millis);
}

void EndpointStates::completed(size_t endpoint, int64_t now_millis, int64_t trial) {
  EndpointHealth& health = *states_[endpoint].health;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  if (health.broken.load(kRelaxed) == 0 && !health.for_broken.load(kRelaxed)) return;
  if (health.ejected_until > now_millis || (health.on_trial && !isTrial(health, trial))) return;
  health.broken = 0;
  if (health.for_broken) endTrial(endpoint, now_millis);
}

}  // namespace yett::upstream
