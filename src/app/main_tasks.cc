#include "app/main_tasks.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace yett::app {

MainTasks::MainTasks() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

MainTasks::~MainTasks() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::string> MainTasks::run(const std::string& command) {
  base::Lock lock(mutex_);
  if (closed_) return Error{"yett is stopping"};
  command_ = command;
  waiting_ = true;
  done_ = false;
  const uint64_t one = 1;
  if (::write(fd_, &one, sizeof one) != sizeof one) return Error{"the main thread cannot be woken"};
  changed_.wait(lock, [this]() YETT_REQUIRES(mutex_) { return done_ || closed_; });
  waiting_ = false;
  if (!done_) return Error{"yett is stopping"};
  return std::exchange(answer_, std::string());
}

void MainTasks::serve(const Handler& handler) {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t ignored = ::read(fd_, &count, sizeof count);
  std::string command;
  {
    const base::Lock lock(mutex_);
    if (!waiting_ || done_) return;
    command = command_;
  }
  auto answer = handler(command);
  const base::Lock lock(mutex_);
  answer_ = std::move(answer);
  done_ = true;
  changed_.notifyAll();
}

void MainTasks::close() {
  const base::Lock lock(mutex_);
  closed_ = true;
  changed_.notifyAll();
}

}  // namespace yett::app
