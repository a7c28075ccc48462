// What is known of a cluster's endpoints: what is in flight on this loop, which of them cannot be reached from it, and,
// over all loops, which fail. Belongs to its pool.
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

///   an endpoint     gets requests                     next
///   usable          yes                               ejected (failures in a row), resting (no connection)
///   ejected         no, on no loop                    on trial, when its time is over
///   on trial        one at a time, of all loops       usable (it answers), ejected for longer (it fails)
///   resting         no, on this loop                  one connection tries it; then usable, or resting for longer
class EndpointStates {
 public:
  /// Called when an endpoint is ejected or comes back, with the reason.
  using Changed = std::function<void(size_t endpoint, bool ejected, const std::string& why)>;
  EndpointStates(size_t endpoints, const OutlierConfig& outliers, Changed changed);

  /// Takes new endpoints; those that stay keep their state. `from`: the place where each was before; SIZE_MAX: nowhere.
  void adopt(const Endpoints& endpoints, const std::vector<size_t>& from);
  void setOutliers(const OutlierConfig& outliers) { outliers_ = outliers; }

  size_t size() const { return states_.size(); }
  /// Not ejected, not tried out by a request now, and not found unhealthy by a health check.
  bool healthy(size_t endpoint, int64_t now_millis) const;
  /// No connection to it has failed lately, and none is in doubt.
  bool reachable(size_t endpoint, int64_t now_millis) const {
    return states_[endpoint].resting_until <= now_millis && states_[endpoint].doubts == 0;
  }
  bool usable(size_t endpoint, int64_t now_millis) const {
    return reachable(endpoint, now_millis) && healthy(endpoint, now_millis);
  }
  struct Claim {
    bool taken = false;  ///< another request tries it out
    int64_t trial = 0;   ///< the request tries it out: until then; 0: it does not
    bool operator==(const Claim&) const = default;
  };
  /// A request is about to go to it.
  Claim claim(size_t endpoint, int64_t now_millis);
  /// The request that has this claim was not sent: another may try it out.
  void disclaim(size_t endpoint, int64_t trial);
  /// Since when it has been usable without a break; 0: always. Call regularly: the breaks are noticed here.
  int64_t usableSince(size_t endpoint, int64_t now_millis);
  uint32_t inFlight(size_t endpoint) const { return states_[endpoint].in_flight; }
  /// Grows whenever this loop changes a state.
  uint64_t changes() const { return changes_; }
  Speaks speaks(size_t endpoint) const { return states_[endpoint].speaks; }
  void setSpeaks(size_t endpoint, Speaks speaks) { states_[endpoint].speaks = speaks; }
  void forgetSpeaks();
  void began(size_t endpoint);
  /// `trial`, here and below: the exchange's claim, or 0. What others say, which may have begun before the ejection,
  /// ends no trial.
  void ended(size_t endpoint, int64_t now_millis, int64_t trial);

  /// A connection to it is tried, for at most `limit`. While it is not known whether an endpoint that rested is back,
  /// only this one tries it.
  void trying(size_t endpoint, int64_t now_millis, int64_t limit);
  /// A connection to it failed: it rests, for longer each time, up to ten seconds, and that counts as a failure.
  void unreachable(size_t endpoint, int64_t now_millis, const std::string& why);
  /// A connection to it was made.
  void reached(size_t endpoint);
  /// A connection to it may be dead: until that is known, others are preferred.
  void doubt(size_t endpoint);
  void endDoubt(size_t endpoint);
  /// An exchange with it failed; `why` is for people: "503", "no answer in time".
  void failed(size_t endpoint, int64_t now_millis, const std::string& why, int64_t trial);
  /// An exchange with it was answered.
  void succeeded(size_t endpoint, int64_t now_millis, int64_t trial);
  /// It broke an answer off, or has given a whole one. These are counted apart: an answer that begins well says nothing
  /// about its end.
  void brokeOff(size_t endpoint, int64_t now_millis, const std::string& why, int64_t trial);
  void completed(size_t endpoint, int64_t now_millis, int64_t trial);

 private:
  struct State {
    uint32_t in_flight = 0;
    uint32_t doubts = 0;
    uint32_t rests = 0;            // in a row
    int64_t resting_until = 0;     // milliseconds of the loop's clock, as below
    int64_t usable_since = 0;      // 0: from the start
    bool was_usable = true;        // when usableSince() looked last
    bool was_unreachable = false;  // and no connection was made since
    Speaks speaks = Speaks::kUnknown;
    std::shared_ptr<EndpointHealth> health;
  };
  static bool isTrial(const EndpointHealth& health, int64_t trial) {
    return trial != 0 && health.on_trial && health.trial_until == trial;
  }
  size_t ejectedNow(int64_t now_millis) const;
  void eject(size_t endpoint, int64_t now_millis, uint32_t failures, const std::string& why, bool for_broken);
  void endTrial(size_t endpoint, int64_t now_millis);

  OutlierConfig outliers_;
  const Changed changed_;
  std::vector<State> states_;
  uint64_t changes_ = 1;
};

}  // namespace yett::upstream
