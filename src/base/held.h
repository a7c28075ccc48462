// Counts the bytes that a thread buffers for peers that do not read them, for the memory budget.
#pragma once

#include <cstddef>
#include <cstdint>

namespace yett::base {

/// One owner's share of what this thread holds; the destructor releases it. REQUIRES: one thread.
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
  /// The sum over all owners on this thread.
  static int64_t total() { return total_; }

 private:
  static inline thread_local int64_t total_ = 0;
  size_t bytes_ = 0;
};

}  // namespace yett::base
