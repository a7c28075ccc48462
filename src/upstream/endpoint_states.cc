#include "upstream/endpoint_states.h"

#include <algorithm>
#include <utility>

namespace yett::upstream {
namespace {

constexpr int64_t kRest = 10'000;              // milliseconds
constexpr int64_t kLongestEjection = 300'000;  // as in other proxies: a service that was mended gets traffic again

}  // namespace

EndpointStates::EndpointStates(size_t endpoints, const OutlierConfig& outliers, Changed changed)
    : outliers_(outliers), changed_(std::move(changed)), states_(endpoints) {}

void EndpointStates::adopt(const Endpoints& endpoints, const std::vector<size_t>& from) {
  std::vector<State> made(endpoints.size());
  const bool first = states_.empty();
  for (size_t i = 0; i < endpoints.size(); ++i) {
    if (from[i] < states_.size()) made[i] = states_[from[i]];
    else made[i].was_usable = first;  // a new one among others is warmed up by slow_start
    made[i].health = endpoints[i]->health.get();
  }
  states_ = std::move(made);
  endpoints_ = endpoints;
  ++changes_;
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
  State& state = states_[endpoint];
  ++state.in_flight;
  if (state.health != nullptr) state.health->requests.fetch_add(1, std::memory_order_relaxed);
}

void EndpointStates::ended(size_t endpoint) {
  State& state = states_[endpoint];
  --state.in_flight;
  if (state.health != nullptr) state.health->requests.fetch_sub(1, std::memory_order_relaxed);
}

void EndpointStates::trying(size_t endpoint, int64_t now_millis, int64_t limit) {
  State& state = states_[endpoint];
  if (!state.was_unreachable) return;
  state.resting_until = now_millis + limit;
  ++changes_;
}

void EndpointStates::unreachable(size_t endpoint, int64_t now_millis, const std::string& why) {
  State& state = states_[endpoint];
  state.resting_until = now_millis + kRest;
  state.was_unreachable = true;
  ++changes_;
  failed(endpoint, now_millis, why);
}

void EndpointStates::reached(size_t endpoint) {
  State& state = states_[endpoint];
  if (!std::exchange(state.was_unreachable, false)) return;
  state.resting_until = 0;
  ++changes_;
}

void EndpointStates::failed(size_t endpoint, int64_t now_millis, const std::string& why) {
  State& state = states_[endpoint];
  if (state.health != nullptr) state.health->failures.fetch_add(1, std::memory_order_relaxed);
  if (outliers_.consecutive_failures == 0 || state.ejected_until > now_millis) return;
  // One that was just given another chance is out again at once.
  const auto most = state.was_ejected ? 1 : static_cast<uint32_t>(outliers_.consecutive_failures);
  if (++state.failures >= most) eject(endpoint, now_millis, state.failures, why);
}

void EndpointStates::brokeOff(size_t endpoint, int64_t now_millis, const std::string& why) {
  State& state = states_[endpoint];
  if (state.health != nullptr) state.health->failures.fetch_add(1, std::memory_order_relaxed);
  if (outliers_.consecutive_failures == 0 || state.ejected_until > now_millis) return;
  if (++state.broken >= static_cast<uint32_t>(outliers_.consecutive_failures))
    eject(endpoint, now_millis, state.broken, why);
}

size_t EndpointStates::ejectedNow(int64_t now_millis) const {
  return static_cast<size_t>(std::count_if(states_.begin(), states_.end(),
                                           [&](const State& state) { return state.ejected_until > now_millis; }));
}

void EndpointStates::eject(size_t endpoint, int64_t now_millis, uint32_t failures, const std::string& why) {
  const size_t most = states_.size() * static_cast<size_t>(outliers_.max_ejection_percent) / 100;
  if (ejectedNow(now_millis) >= most) return;
  State& state = states_[endpoint];
  ++state.ejections;
  const int64_t base = outliers_.base_ejection_time.count();
  const int64_t length = std::min(base * state.ejections, std::max(base, kLongestEjection));
  state.ejected_until = now_millis + length;
  state.forgive_at = state.ejected_until + base;
  state.was_ejected = true;
  ++changes_;
  if (state.health != nullptr) state.health->ejected_until.store(state.ejected_until, std::memory_order_relaxed);
  const std::string times = std::to_string(failures) + (failures == 1 ? " failure" : " failures in a row");
  state.failures = state.broken = 0;
  if (changed_) changed_(endpoint, true, "for " + std::to_string(length / 1000) + "s: " + times + ", the last: " + why);
}

void EndpointStates::succeeded(size_t endpoint, int64_t now_millis) {
  State& state = states_[endpoint];
  if (state.ejected_until > now_millis) return;  // of a request that began before
  state.failures = 0;
  if (state.ejections == 0) return;
  if (std::exchange(state.was_ejected, false) && changed_) changed_(endpoint, false, "it answers");
  if (now_millis < state.forgive_at) return;
  --state.ejections;
  state.forgive_at = now_millis + outliers_.base_ejection_time.count();
}

}  // namespace yett::upstream
