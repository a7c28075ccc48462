// The serving event loops, their threads, and a watchdog. Nothing here waits for a loop without a time limit: a loop
// may be stuck in a native plugin or a page fault, and reload, drain and shutdown must continue without it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "app/event_recorder.h"
#include "authz/authorizer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/result.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "proxy/worker.h"

namespace yett::app {

using Sockets = std::map<std::string, std::shared_ptr<net::ListeningSocket>>;

struct Loop {
  size_t index = 0;
  net::EventLoop loop;
  std::unique_ptr<EventRecorder> events;
  std::unique_ptr<authz::Authorizer> authorizer;
  std::unique_ptr<proxy::Worker> worker;
  std::map<std::string, std::shared_ptr<proxy::ListenerSlot>> slots;
  std::map<std::string, std::unique_ptr<net::Acceptor>> acceptors;
  Sockets sockets;  // of the acceptors
  std::thread thread;
  std::atomic<bool> ended{false};
  std::atomic<uint64_t> generation{0};  // number of the generation that it serves
};

/// Main thread only, unless a comment says otherwise.
class Loops {
 public:
  using Task = std::function<void(Loop&)>;
  Loops(base::Logger& log, base::Metrics& metrics);
  ~Loops();
  Loops(const Loops&) = delete;

  /// Creates `count` loops without threads. `fill` sets up each one.
  Status create(size_t count, const std::function<void(Loop&)>& fill);
  /// Starts the threads and the watchdog thread.
  void run();
  /// Runs `task` on every loop. True: all have run it. False: it threw on one, or `limit` has passed. In that case,
  /// blocked loops run it once they continue; the last of them calls `late` unless the task threw. `task` must own
  /// what it needs.
  bool onAll(Task task, base::Millis limit, std::function<void()> late = {});
  /// Any thread: runs `task` on every loop without waiting. Does nothing before run().
  void post(const Task& task);
  /// Any thread: which loop has been blocked for `limit` or longer, and what it is doing; "" if none is.
  std::string stalled(base::Millis limit) const;
  /// Stops the loops after `last` has run on each. False: some did not stop within `limit`; then nothing that a loop
  /// uses may be destroyed, so the process must exit without cleanup.
  bool stop(Task last, base::Millis limit);

  size_t size() const { return loops_.size(); }
  /// Any thread, once create() is done.
  const std::vector<std::unique_ptr<Loop>>& all() const { return loops_; }

 private:
  void watch();
  base::Logger& log_;
  base::Metrics& metrics_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::atomic<bool> ready_{false};

  base::Mutex watch_mutex_;
  base::Condition watch_wakes_;
  bool watch_ends_ YETT_GUARDED_BY(watch_mutex_) = false;
  std::thread watcher_;
};

}  // namespace yett::app
