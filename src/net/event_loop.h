// The reactor: one thread, one epoll, one timer wheel. Everything that belongs to a loop is touched on its thread only;
// post() is the one way in from outside.
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

/// Receives epoll events of one descriptor. EventLoop::remove() forgets its events: it must outlive only a call that
/// is on the stack, by destroyLater() where one may be.
class EventHandler {
 public:
  virtual ~EventHandler() = default;
  virtual void onEvents(uint32_t events) = 0;
  /// onEvents() threw: gives up what it was about.
  virtual void onFault(const char*) {}
};

/// What destroyLater() keeps until no event of the batch can name it.
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
  /// What a loop is doing: for who watches that it turns.
  struct Pulse {
    int64_t busy_nanos = 0;  ///< since it last waited for events; 0: it waits
    const char* doing = "";
  };

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;

  /// Why the loop cannot run; "" where it can.
  const std::string& failure() const { return failure_; }
  /// Runs until stop(). The thread that calls it becomes the loop's.
  void run();
  /// Any thread: run() returns after the current batch.
  void stop();
  /// Any thread: `task` runs on the loop's thread, after those posted before it. Tasks left at the end are destroyed
  /// unrun.
  void post(std::function<void()> task);

  /// Any thread.
  Pulse pulse() const;
  /// Before run(): told on the loop's thread of what an event, a task or a timer threw. The loop goes on.
  void onFault(std::function<void(const char* what)> told) { fault_told_ = std::move(told); }
  /// Says what the loop's thread does from here on; `what` is a literal.
  void doing(const char* what) { doing_.store(what, std::memory_order_relaxed); }

  /// In builds for development: the caller is on the loop's thread, or nobody runs the loop.
  void assertInLoop() const {
    YETT_CHECK(runner_.load() == std::thread::id() || runner_.load() == std::this_thread::get_id());
  }
  /// Loop thread, as all below. `handler` must be removed before its descriptor is closed.
  void add(int fd, uint32_t events, EventHandler& handler);
  void modify(int fd, uint32_t events, EventHandler& handler);
  void remove(int fd, EventHandler& handler);

  /// Fires once after `delay`, give or take one tick (8 ms); moves a timer that already waits.
  void schedule(Timer& timer, base::Millis delay);
  /// Fires once the events and tasks at hand are over, of this batch where one of them asks, else of the next, which
  /// then comes at once: for work that must let others have their turn first.
  void nextTurn(Timer& timer);
  /// Fires once the batch's events are over, in a batch whose turn it is: work that takes a good part of a millisecond,
  /// of which each batch does some and no more, so that events need not wait for all of it.
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

  /// How long one connection should keep the loop: so that all who want it now have their turn within a few
  /// milliseconds.
  int64_t turnNanos() const;
  /// Milliseconds of the steady clock, as of the current batch.
  int64_t nowMillis() const { return now_millis_; }
  /// Memory to read into: valid until the next call that reads. One for the whole loop, so that idle connections hold
  /// none.
  char* scratch() { return scratch_.get(); }
  static constexpr size_t kScratchSize = 64 << 10;
  /// Large buffers go from one connection to the next: the kernel need not clear new pages for each.
  void keepBuffer(std::string buffer);
  /// Gives `buffer` the memory of one that was kept, where there is one. REQUIRES: it is empty.
  void takeBuffer(std::string& buffer);

 private:
  static constexpr int kTickMillis = 8;
  static constexpr size_t kSlots = 1024;
  static constexpr int64_t kSlowNanos = 2'000'000;  // of slow work in each batch
  static constexpr int64_t kBatchNanos =
      2'000'000;  // of events, of turns and of timers in each batch; the rest goes on in the next
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
  int64_t next_due_ = 0;  // no timer is due before this tick; what it was set for may be cancelled
  std::unique_ptr<char[]> scratch_;
  std::array<epoll_event, 256> events_;
  size_t event_at_ = 0;  // the next to be handled
  size_t event_count_ = 0;
  std::vector<std::string> kept_;              // empty, with memory
  std::vector<std::unique_ptr<Timer>> slots_;  // heads of circular lists
  Timer turns_{nullptr};                       // head of the circular list of nextTurn()
  size_t turns_wanted_ = 0;                    // in the last batch
  Timer slow_{nullptr};                        // and of whenThereIsTime()
  std::vector<std::unique_ptr<Destroyable>> graveyard_;
  std::vector<std::function<void()>> after_batch_;
  std::vector<std::function<void()>> running_;  // what was after_batch_; both keep their memory

  std::atomic<std::thread::id> runner_{};  // who is in run()

  base::Mutex post_mutex_;
  std::vector<std::function<void()>> posted_ YETT_GUARDED_BY(post_mutex_);
};

}  // namespace yett::net
