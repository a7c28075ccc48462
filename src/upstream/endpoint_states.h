// What one loop knows of a cluster's endpoints: what is in flight, and which fail. Belongs to its pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "upstream/balance.h"
#include "upstream/endpoint.h"

namespace yett::upstream {

/// The HTTP version that an endpoint speaks over TLS, as the last handshake with it showed.
enum class Speaks : uint8_t { kHttp1, kHttp2, kUnknown };

class EndpointStates {
 public:
  /// Called when an endpoint is ejected or comes back, with the reason.
  using Changed = std::function<void(size_t endpoint, bool ejected, const std::string& why)>;
  EndpointStates(size_t endpoints, const OutlierConfig& outliers, Changed changed);

  /// Takes new endpoints; those that stay keep their state. `from`: the place where each was before; SIZE_MAX: nowhere.
  void adopt(const Endpoints& endpoints, const std::vector<size_t>& from);
  void setOutliers(const OutlierConfig& outliers) { outliers_ = outliers; }

  size_t size() const { return states_.size(); }
  /// Not ejected, and not found unhealthy by a health check.
  bool healthy(size_t endpoint, int64_t now_millis) const {
    const State& state = states_[endpoint];
    return state.ejected_until <= now_millis &&
           (state.health == nullptr || state.health->healthy.load(std::memory_order_relaxed));
  }
  /// No connection to it has failed lately.
  bool reachable(size_t endpoint, int64_t now_millis) const { return states_[endpoint].resting_until <= now_millis; }
  bool usable(size_t endpoint, int64_t now_millis) const {
    return reachable(endpoint, now_millis) && healthy(endpoint, now_millis);
  }
  /// Since when it has been usable without a break; 0: always. Call regularly: the breaks are noticed here.
  int64_t usableSince(size_t endpoint, int64_t now_millis);
  uint32_t inFlight(size_t endpoint) const { return states_[endpoint].in_flight; }
  /// Grows whenever a state changes, but for health and the passing of time.
  uint64_t changes() const { return changes_; }
  Speaks speaks(size_t endpoint) const { return states_[endpoint].speaks; }
  void setSpeaks(size_t endpoint, Speaks speaks) { states_[endpoint].speaks = speaks; }
  void forgetSpeaks();
  void began(size_t endpoint);
  void ended(size_t endpoint);

  /// A connection to it is tried, for at most `limit`. While it is not known whether an endpoint that rested is back,
  /// only this one tries it.
  void trying(size_t endpoint, int64_t now_millis, int64_t limit);
  /// A connection to it failed: it rests for ten seconds, and that counts as a failure.
  void unreachable(size_t endpoint, int64_t now_millis, const std::string& why);
  /// A connection to it was made.
  void reached(size_t endpoint);
  /// An exchange with it failed; `why` is for people: "503", "no answer in time".
  void failed(size_t endpoint, int64_t now_millis, const std::string& why);
  /// An exchange with it was answered.
  void succeeded(size_t endpoint, int64_t now_millis);
  /// It broke an answer off, or has given a whole one. These are counted apart: an answer that begins well says nothing
  /// about its end.
  void brokeOff(size_t endpoint, int64_t now_millis, const std::string& why);
  void completed(size_t endpoint) { states_[endpoint].broken = 0; }

 private:
  struct State {
    uint32_t in_flight = 0;
    uint32_t failures = 0;      // in a row
    uint32_t broken = 0;        // answers, in a row
    uint32_t ejections = 0;     // that make the next one longer
    int64_t resting_until = 0;  // milliseconds of the loop's clock, as below
    int64_t ejected_until = 0;
    int64_t forgive_at = 0;        // when one ejection is forgotten, if it works till then
    int64_t usable_since = 0;      // 0: from the start
    bool was_usable = true;        // when usableSince() looked last
    bool was_ejected = false;      // and has not answered since
    bool was_unreachable = false;  // and no connection was made since
    Speaks speaks = Speaks::kUnknown;
    EndpointHealth* health = nullptr;  // the endpoint's
  };
  size_t ejectedNow(int64_t now_millis) const;
  void eject(size_t endpoint, int64_t now_millis, uint32_t failures, const std::string& why);

  OutlierConfig outliers_;
  const Changed changed_;
  std::vector<State> states_;
  Endpoints endpoints_;  // own the health
  uint64_t changes_ = 1;
};

}  // namespace yett::upstream
