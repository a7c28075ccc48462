// A rate limit that allows bursts of one second's worth. Any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace yett::net {

class Rate {
 public:
  /// 0: without limit.
  explicit Rate(int64_t per_second) : interval_(per_second > 0 ? kSecond / per_second : 0) {}
  /// Whether it may happen now. `now`: steady nanoseconds.
  bool take(int64_t now) {
    if (interval_ == 0) return true;
    int64_t due = due_.load(std::memory_order_relaxed);
    for (;;) {
      if (due - now > kSecond) return false;
      if (due_.compare_exchange_weak(due, std::max(due, now) + interval_, std::memory_order_relaxed)) return true;
    }
  }

 private:
  static constexpr int64_t kSecond = 1'000'000'000;
  const int64_t interval_;
  std::atomic<int64_t> due_{0};  // when everything taken so far would be used up at an even rate
};

}  // namespace yett::net
