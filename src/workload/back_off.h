// Waits between attempts, with jitter, so that a fleet that started together does not ask together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

namespace yett::workload {

/// At random between `least` and `most`, both included.
inline int64_t between(int64_t least, int64_t most) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_int_distribution<int64_t>(least, most)(random);
}

/// Doubles from `first` up to `most` milliseconds, each shortened by up to a half.
class BackOff {
 public:
  BackOff(int64_t first, int64_t most) : first_(first), most_(most) {}
  int64_t next() {
    last_ = std::clamp(2 * last_, first_, most_);
    return between(last_ / 2, last_);
  }
  /// The last attempt worked.
  void reset() { last_ = 0; }
  /// Another attempt soon would not help.
  void longest() { last_ = most_; }

 private:
  int64_t first_;
  int64_t most_;
  int64_t last_ = 0;
};

}  // namespace yett::workload
