// Commands that other threads hand to the main thread, which alone may reload and drain.
#pragma once

#include <functional>
#include <string>

#include "base/mutex.h"
#include "base/result.h"

namespace yett::app {

class MainTasks {
 public:
  /// Executes a command and returns the answer.
  using Handler = std::function<Result<std::string>(const std::string& command)>;

  MainTasks();
  ~MainTasks();
  MainTasks(const MainTasks&) = delete;

  /// Any thread but the main one: waits until the main thread has done it. One caller at a time.
  Result<std::string> run(const std::string& command);

  /// Main thread: readable while a command waits.
  int fd() const { return fd_; }
  /// Main thread: executes the waiting command, if there is one.
  void serve(const Handler& handler);
  /// Main thread: makes the waiting command and all later ones fail.
  void close();

 private:
  int fd_;
  base::Mutex mutex_;
  base::Condition changed_;
  std::string command_ YETT_GUARDED_BY(mutex_);
  bool waiting_ YETT_GUARDED_BY(mutex_) = false;
  bool done_ YETT_GUARDED_BY(mutex_) = false;
  bool closed_ YETT_GUARDED_BY(mutex_) = false;
  Result<std::string> answer_ YETT_GUARDED_BY(mutex_) = std::string();
};

}  // namespace yett::app
