// A bounded queue of bytes from many producer threads to one consumer, drained in batches. One of the few thread-safe
// classes: push() and the closed state are for any thread, take() is for the single consumer.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/mutex.h"

namespace yett::base {

class BatchQueue {
 public:
  struct Limits {
    size_t bytes;
    size_t records;
  };
  explicit BatchQueue(Limits limits) : limits_(limits) {}

  /// Appends one record and returns its position: 1 for the first record ever accepted, and so on. Returns 0 and adds
  /// nothing if the queue is full or closed. Never blocks for longer than another push, and wakes the consumer only if
  /// it is asleep.
  /// `force`: for a record that completes one already accepted; it may exceed the limits, up to four times.
  uint64_t push(std::string_view record, bool force = false);

  /// From now on each accepted record also increments `counter`. REQUIRES: called before the first push; `counter`
  /// outlives the queue's use.
  void countIn(std::atomic<uint64_t>& counter) { counter_ = &counter; }

  using Clock = std::chrono::steady_clock;

  /// Waits up to `wait` for a record and returns whether there is one. wake() and close() end the wait early.
  bool await(std::chrono::milliseconds wait);
  /// Moves everything queued into `out` (replacing it) and returns the number of records. Waits first until `enough`
  /// records are queued (half of the record limit is always enough), until `until`, or for wake() or close().
  size_t take(std::string& out, Clock::time_point until, size_t enough = SIZE_MAX);
  /// Waits up to `wait` for the first record, then `gather` longer, so that the batch is worth its cost.
  size_t take(std::string& out, std::chrono::milliseconds wait, std::chrono::milliseconds gather) {
    return take(out, await(wait) ? Clock::now() + gather : Clock::time_point());
  }

  /// Makes await() and take() return immediately, even if the queue is empty.
  void wake();

  /// From now on push() fails and take() returns immediately.
  void close();
  bool closed() const;
  size_t records() const;
  /// The used fraction of the tighter limit: 0 to 1, more if records were forced in.
  double fullness() const;
  /// The position of the last accepted record.
  uint64_t pushed() const;
  /// How many pushes were refused since the start.
  uint64_t refused() const;

 private:
  const Limits limits_;
  std::atomic<uint64_t>* counter_ = nullptr;
  mutable Mutex mutex_;
  Condition filled_;
  std::string bytes_ YETT_GUARDED_BY(mutex_);
  size_t records_ YETT_GUARDED_BY(mutex_) = 0;
  uint64_t pushed_ YETT_GUARDED_BY(mutex_) = 0;
  uint64_t refused_ YETT_GUARDED_BY(mutex_) = 0;
  size_t wake_at_ YETT_GUARDED_BY(mutex_) = SIZE_MAX;  // wake the consumer at this many records
  bool woken_ YETT_GUARDED_BY(mutex_) = false;
  bool closed_ YETT_GUARDED_BY(mutex_) = false;
};

}  // namespace yett::base
