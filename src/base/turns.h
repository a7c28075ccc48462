// Keeps long computations on a background thread from delaying the event loops that share its CPU.
#pragma once

#include <chrono>
#include <optional>
#include <thread>

namespace yett::base {

/// Between its steps, a computation calls next(). On a thread that called take(), this sleeps for `pause` once the
/// thread has run for `run`; on others it does nothing. Without it, the scheduler would let the thread run until the
/// next tick, up to 4 ms, and requests would wait for as long. (sched_yield() is not enough: a thread that has slept is
/// owed time, and is chosen again.)
class Turns {
 public:
  using Micros = std::chrono::microseconds;
  struct Lengths {
    Micros run{100};
    Micros pause{300};
  };

  static void take(Lengths lengths) {
    lengths_ = lengths;
    since_ = Clock::now();
  }
  /// The thread's turn begins now, since it has just slept. `pauses`: false if it may not sleep until the next begin().
  static void begin(bool pauses = true) {
    pauses_ = pauses;
    if (lengths_) since_ = Clock::now();
  }
  static void next() {
    if (!lengths_ || !pauses_ || Clock::now() - since_ < lengths_->run) return;
    std::this_thread::sleep_for(lengths_->pause);
    since_ = Clock::now();
  }

 private:
  using Clock = std::chrono::steady_clock;
  static inline thread_local std::optional<Lengths> lengths_;
  static inline thread_local Clock::time_point since_;
  static inline thread_local bool pauses_ = true;
};

}  // namespace yett::base
