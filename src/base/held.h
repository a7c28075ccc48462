// Bytes that a thread holds for peers who do not take them: what a budget of memory is about.
#pragma once

#include <cstddef>
#include <cstdint>

namespace yett::base {

/// A share of what this thread holds; ends with its owner. REQUIRES: one thread.
class Held {
 public:
  Held() = default;
  ~Held() { set(0); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  void set(size_t bytes) {
    total_ += static_cast<int64_t>(bytes) - static_cast<int64_t>(bytes_);
    bytes_ = bytes;
  }
  size_t bytes() const { return bytes_; }
  /// Of all owners on this thread.
  static int64_t total() { return total_; }

 private:
  static inline thread_local int64_t total_ = 0;
  size_t bytes_ = 0;
};

}  // namespace yett::base
