// The reactor: one thread, one epoll, one timer wheel. Everything that belongs to a loop is used only on its thread;
// post() is the only way in from other threads.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "base/units.h"

namespace yett::net {

/// Receives the epoll events of one descriptor. EventLoop::remove() drops its pending events, so afterward it must only
/// outlive a call that is still on the stack: use destroyLater() if there may be one.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  virtual void onEvents(uint32_t events) = 0;
  /// onEvents() threw: abandon what this handler was doing.
  virtual void onFault(const char*) {}
};

/// An object that destroyLater() keeps until no event of the batch can refer to it.
class Destroyable {
 public:
  virtual ~Destroyable() = default;
};

/// A single-shot timer, linked into the wheel while it waits. Cancelled by its destructor.
class Timer {
 public:
  explicit Timer(std::function<void()> fire) : fire_(std::move(fire)) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void cancel();
  bool waiting() const { return next_ != nullptr; }

 private:
  friend class EventLoop;
  std::function<void()> fire_;
  Timer* next_ = nullptr;
  Timer* prev_ = nullptr;
  int64_t due_ = 0;  // tick
};

class EventLoop {
 public:
  /// What a loop is doing, for the watchdog that detects stalled loops.
  struct Pulse {
    int64_t busy_nanos = 0;  ///< since it last waited for events; 0: waiting now
    const char* doing = "";
  };

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;

  /// Why the loop cannot run; "" if it can.
  const std::string& failure() const { return failure_; }
  /// Runs until stop(). The calling thread becomes the loop's thread.
  void run();
  /// Any thread: run() returns after the current batch.
  void stop();
  /// Any thread: runs `task` on the loop's thread, after the tasks posted before it. Tasks left when the loop ends are
  /// destroyed without being run.
  void post(std::function<void()> task);

  /// Any thread.
  Pulse pulse() const;
  /// Set before run(): called on the loop's thread with what an event, a task or a timer threw. The loop continues.
  void onFault(std::function<void(const char* what)> told) { fault_told_ = std::move(told); }
  /// Records what the loop's thread does from now on; `what` is a string literal.
  void doing(const char* what) { doing_.store(what, std::memory_order_relaxed); }

  /// In development builds: checks that the caller is on the loop's thread, or that the loop is not running.
  void assertInLoop() const {
    YETT_CHECK(runner_.load() == std::thread::id() || runner_.load() == std::this_thread::get_id());
  }
  /// Loop thread only, like everything below. Remove `handler` before closing its descriptor.
  void add(int fd, uint32_t events, EventHandler& handler);
  void modify(int fd, uint32_t events, EventHandler& handler);
  void remove(int fd, EventHandler& handler);

  /// Fires once after `delay`, give or take one tick (8 ms). A timer that is already waiting is rescheduled.
  void schedule(Timer& timer, base::Millis delay);
  /// Fires after the pending events and tasks: in this batch if called from one of them, otherwise in the next batch,
  /// which then starts immediately. For work that must let others go first.
  void nextTurn(Timer& timer);
  /// Fires after the events of this batch or a later one. For work that takes a good part of a millisecond: each batch
  /// does a limited amount of it, so that events need not wait for all of it.
  void whenThereIsTime(Timer& timer);
  /// Destroys `object` when the current batch of events is over.
  void destroyLater(std::unique_ptr<Destroyable> object) {
    assertInLoop();
    graveyard_.push_back(std::move(object));
  }
  /// Runs `task` when the current batch of events is over, before anything is destroyed.
  void afterBatch(std::function<void()> task) {
    assertInLoop();
    after_batch_.push_back(std::move(task));
  }

  /// How long one connection may keep the loop, chosen so that all that need it now get their turn within a few
  /// milliseconds.
  int64_t turnNanos() const;
  /// Milliseconds of the steady clock, as of the current batch.
  int64_t nowMillis() const { return now_millis_; }
  /// A buffer to read into, valid until the next read. The loop has one for all, so that idle connections hold none.
  char* scratch() { return scratch_.get(); }
  static constexpr size_t kScratchSize = 64 << 10;
  /// Recycles large buffers between connections, so that the kernel need not zero new pages for each.
  void keepBuffer(std::string buffer);
  /// Gives `buffer` the memory of a kept buffer, if there is one. REQUIRES: it is empty.
  void takeBuffer(std::string& buffer);

 private:
  static constexpr int kTickMillis = 8;
  static constexpr size_t kSlots = 1024;
  static constexpr int64_t kSlowNanos = 2'000'000;  // time for slow work per batch
  static constexpr int64_t kBatchNanos =
      2'000'000;  // time for events, for turns and for timers per batch; the rest waits for the next
  void takeEvents();
  void handleEvents(bool& woken);
  static void append(Timer& head, Timer& timer);
  void updateTime();
  int nextTimeout() const;
  int64_t findNextDue() const;
  void fireTimers();
  void runPosted();
  void runTurns();
  void runSlow();
  void finishBatch();

  template <typename Step>
  bool guarded(Step step);
  void fault(const char* what);
  std::string failure_;
  std::function<void(const char*)> fault_told_;
  std::atomic<int64_t> busy_since_{0};  // steady nanoseconds; 0: waits for events
  std::atomic<const char*> doing_{""};

  int epoll_ = -1;
  int wake_ = -1;
  bool stopped_ = false;
  int64_t now_millis_ = 0;
  int64_t tick_ = 0;      // all timers due at or before it have fired
  int64_t next_due_ = 0;  // no timer is due before this tick; the timer due then may have been cancelled
  std::unique_ptr<char[]> scratch_;
  std::array<epoll_event, 256> events_;
  size_t event_at_ = 0;  // the next to be handled
  size_t event_count_ = 0;
  std::vector<std::string> kept_;              // empty, with memory
  std::vector<std::unique_ptr<Timer>> slots_;  // heads of circular lists
  Timer turns_{nullptr};                       // head of the circular list of nextTurn()
  size_t turns_wanted_ = 0;                    // in the last batch
  Timer slow_{nullptr};                        // the same for whenThereIsTime()
  std::vector<std::unique_ptr<Destroyable>> graveyard_;
  std::vector<std::function<void()>> after_batch_;
  std::vector<std::function<void()>> running_;  // swapped with after_batch_ to run it; both keep their memory

  std::atomic<std::thread::id> runner_{};  // the thread in run()

  base::Mutex post_mutex_;
  std::vector<std::function<void()>> posted_ YETT_GUARDED_BY(post_mutex_);
};

}  // namespace yett::net
