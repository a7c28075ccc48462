// A bounded queue of bytes from many threads to one, handed over in batches. One of the few classes that two threads
// may touch: push() and closed state from any thread, take() from the one consumer.
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

  /// Appends one record and returns its place: 1 for the first that was ever taken, and so on. 0 when the queue is full
  /// or closed; nothing was taken then. Never blocks for longer than another push, and wakes the consumer only when it
  /// sleeps.
  /// `force`: what belongs to something that was taken goes in above the limits too, four times as much at the most.
  uint64_t push(std::string_view record, bool force = false);

  /// From here on each record that is taken is counted there too. REQUIRES: before the first push, and it outlives the
  /// queue's use.
  void countIn(std::atomic<uint64_t>& counter) { counter_ = &counter; }

  using Clock = std::chrono::steady_clock;

  /// Waits up to `wait` for a record; false: there is none (wake() and close() end it too).
  bool await(std::chrono::milliseconds wait);
  /// Moves all that is queued into `out` (replacing it) and returns the number of records. Waits first until `enough`
  /// of them are there (half of the limit of records is always enough), `until`, wake() or close().
  size_t take(std::string& out, Clock::time_point until, size_t enough = SIZE_MAX);
  /// Waits up to `wait` for the first one and then `gather` more, so that a batch is worth its cost.
  size_t take(std::string& out, std::chrono::milliseconds wait, std::chrono::milliseconds gather) {
    return take(out, await(wait) ? Clock::now() + gather : Clock::time_point());
  }

  /// await() and take() return at once, though there may be nothing.
  void wake();

  /// No push succeeds any more; take() returns at once.
  void close();
  bool closed() const;
  size_t records() const;
  /// How much of a limit is used, of that which is nearer: 0 to 1, and more for what was forced in.
  double fullness() const;
  /// The place of the last record that was taken.
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
  size_t wake_at_ YETT_GUARDED_BY(mutex_) = SIZE_MAX;  // so many records wake the consumer
  bool woken_ YETT_GUARDED_BY(mutex_) = false;
  bool closed_ YETT_GUARDED_BY(mutex_) = false;
};

}  // namespace yett::base
