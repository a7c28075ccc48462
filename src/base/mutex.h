// A mutex annotated for clang's thread safety analysis; with g++ the annotations are empty.
// `int left YETT_GUARDED_BY(mutex_)` is checked by test/check_tidy.sh: no access without a Lock on `mutex_`.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define YETT_THREAD_ATTRIBUTE(what) __attribute__((what))
#else
#define YETT_THREAD_ATTRIBUTE(what)
#endif

/// A field that is read and written only under this mutex.
#define YETT_GUARDED_BY(mutex) YETT_THREAD_ATTRIBUTE(guarded_by(mutex))
/// A pointer whose target is used only under this mutex.
#define YETT_PT_GUARDED_BY(mutex) YETT_THREAD_ATTRIBUTE(pt_guarded_by(mutex))
/// A function, or the predicate of a wait, that is called under this mutex.
#define YETT_REQUIRES(mutex) YETT_THREAD_ATTRIBUTE(requires_capability(mutex))

namespace yett::base {

class YETT_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
 private:
  friend class Lock;
  std::mutex mutex_;
};

/// Holds a mutex from construction to destruction, except between unlock() and lock().
class YETT_THREAD_ATTRIBUTE(scoped_lockable) Lock {
 public:
  explicit Lock(Mutex& mutex) YETT_THREAD_ATTRIBUTE(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  ~Lock() YETT_THREAD_ATTRIBUTE(release_capability()) {}
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  void lock() YETT_THREAD_ATTRIBUTE(acquire_capability()) { lock_.lock(); }
  void unlock() YETT_THREAD_ATTRIBUTE(release_capability()) { lock_.unlock(); }

 private:
  friend class Condition;
  std::unique_lock<std::mutex> lock_;
};

/// Waits until another thread changes state under the same mutex. The predicate is called with the mutex held: mark it
/// with YETT_REQUIRES, so that its reads are checked too.
class Condition {
 public:
  template <typename Predicate>
  YETT_THREAD_ATTRIBUTE(no_thread_safety_analysis)
  void wait(Lock& lock, Predicate predicate) {
    condition_.wait(lock.lock_, predicate);
  }
  /// Waits until the predicate is true or the time is up; returns the predicate's last value.
  template <typename Time, typename Predicate>
  YETT_THREAD_ATTRIBUTE(no_thread_safety_analysis)
  bool waitFor(Lock& lock, Time time, Predicate predicate) {
    return condition_.wait_for(lock.lock_, time, predicate);
  }
  template <typename Until, typename Predicate>
  YETT_THREAD_ATTRIBUTE(no_thread_safety_analysis)
  bool waitUntil(Lock& lock, Until until, Predicate predicate) {
    return condition_.wait_until(lock.lock_, until, predicate);
  }
  void notifyOne() { condition_.notify_one(); }
  void notifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace yett::base
