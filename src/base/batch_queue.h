// A bounded queue of bytes from many threads to one, handed over in batches. One of the few classes that two threads
// may touch: push() and closed state from any thread, take() from the one consumer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace yett::base {

class BatchQueue {
 public:
  struct Limits {
    size_t bytes;
    size_t records;
    size_t batch = SIZE_MAX;  ///< so many end the gathering
  };
  explicit BatchQueue(Limits limits) : limits_(limits) {}

  /// Appends one record and returns its place: 1 for the first that was ever taken, and so on. 0 when the queue is full
  /// or closed; nothing was taken then. Never blocks for longer than another push, and wakes the consumer only when it
  /// sleeps.
  /// `force`: what belongs to something that was taken goes in above the limits too, four times as much at the most.
  uint64_t push(std::string_view record, bool force = false);

  /// Moves all that is queued into `out` (replacing it) and returns the number of records. Waits up to `wait` for the
  /// first one; then, unless the queue is closed, `gather` more so that a batch is worth its cost.
  size_t take(std::string& out, std::chrono::milliseconds wait, std::chrono::milliseconds gather);

  /// take() returns at once, though there may be nothing.
  void wake();

  /// No push succeeds any more; take() returns at once.
  void close();
  bool closed() const;
  size_t records() const;
  /// How many pushes were refused since the start.
  uint64_t refused() const;

 private:
  const Limits limits_;
  mutable std::mutex mutex_;  // protects all below
  std::condition_variable filled_;
  std::string bytes_;
  size_t records_ = 0;
  uint64_t pushed_ = 0;
  uint64_t refused_ = 0;
  bool sleeping_ = false;
  bool gathering_ = false;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace yett::base
