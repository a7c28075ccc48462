// Limits the work that a peer can cause without real requests: frames that are cheap to send and expensive to handle
// (CVE-2019-9511 and similar, CVE-2023-44487). A budget of points, refilled by time and by real work.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace yett::http {

class H2Flood {
 public:
  enum class Kind : uint8_t {
    kReset,
    kSettings,
    kPing,
    kEmptyData,
    kPriority,
    kWindowUpdate,
    kUnknown,
    kBadBlock,
    kClosedStream,
    kLateReset
  };

  /// `streams`: how many a peer may have at once; it may cancel twice that many in a burst.
  explicit H2Flood(int64_t now_millis, int64_t streams)
      : burst_(kMinBurst + 40 * streams), points_(burst_), last_(now_millis) {}
  /// False once the budget is used up.
  bool charge(Kind kind, int64_t now_millis) {
    points_ = std::min(burst_, points_ + (now_millis - last_) * kPerSecond / 1000);
    if (now_millis > last_) last_ = now_millis;
    points_ -= kCost[static_cast<size_t>(kind)];
    return points_ >= 0;
  }
  /// An exchange ended well: resets of others by the same peer are normal then.
  void completed() { points_ = std::min(burst_, points_ + 20); }
  /// A DATA frame was sent: peers respond with window updates, and some with a PING.
  void dataSent() { points_ = std::min(burst_, points_ + 12); }
  static const char* name(Kind kind) {
    constexpr std::array<const char*, 10> kNames{"resets",
                                                 "SETTINGS frames",
                                                 "PING frames",
                                                 "empty DATA frames",
                                                 "PRIORITY frames",
                                                 "WINDOW_UPDATE frames",
                                                 "unknown frames",
                                                 "refused requests",
                                                 "frames for closed streams",
                                                 "resets"};
    return kNames[static_cast<size_t>(kind)];
  }

 private:
  static constexpr int64_t kMinBurst = 4000;
  static constexpr int64_t kPerSecond = 400;
  static constexpr std::array<int64_t, 10> kCost{20, 20, 5, 4, 2, 1, 4, 10, 2, 2};
  const int64_t burst_;
  int64_t points_;
  int64_t last_;
};

}  // namespace yett::http
