// What one loop knows of a cluster's endpoints: what is in flight, and which fail. Belongs to its pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "upstream/balance.h"

namespace yett::upstream {

class EndpointStates {
 public:
  /// Called when an endpoint is ejected or comes back, with the reason.
  using Changed = std::function<void(size_t endpoint, bool ejected, const std::string& why)>;
  EndpointStates(size_t endpoints, const OutlierConfig& outliers, Changed changed);

  size_t size() const { return states_.size(); }
  /// Neither ejected nor resting after a failed connection.
  bool usable(size_t endpoint, int64_t now_millis) const {
    const State& state = states_[endpoint];
    return state.resting_until <= now_millis && state.ejected_until <= now_millis;
  }
  uint32_t inFlight(size_t endpoint) const { return states_[endpoint].in_flight; }
  void began(size_t endpoint) { ++states_[endpoint].in_flight; }
  void ended(size_t endpoint) { --states_[endpoint].in_flight; }

  /// A connection to it failed: it rests for ten seconds, and that counts as a failure.
  void unreachable(size_t endpoint, int64_t now_millis, const std::string& why);
  /// A connection to it was made.
  void reached(size_t endpoint) { states_[endpoint].resting_until = 0; }
  /// An exchange with it failed; `why` is for people: "503", "no answer in time".
  void failed(size_t endpoint, int64_t now_millis, const std::string& why);
  /// An exchange with it was answered.
  void succeeded(size_t endpoint, int64_t now_millis);

 private:
  struct State {
    uint32_t in_flight = 0;
    uint32_t failures = 0;      // in a row
    uint32_t ejections = 0;     // that make the next one longer
    int64_t resting_until = 0;  // milliseconds of the loop's clock, as below
    int64_t ejected_until = 0;
    int64_t forgive_at = 0;    // when one ejection is forgotten, if it works till then
    bool was_ejected = false;  // and has not answered since
  };
  size_t ejectedNow(int64_t now_millis) const;
  void eject(size_t endpoint, int64_t now_millis, const std::string& why);

  const OutlierConfig outliers_;
  const Changed changed_;
  std::vector<State> states_;
};

}  // namespace yett::upstream
