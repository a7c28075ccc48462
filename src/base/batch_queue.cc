#include "base/batch_queue.h"

#include <algorithm>

namespace yett::base {

uint64_t BatchQueue::push(std::string_view record, bool force) {
  bool wake = false;
  uint64_t place = 0;
  {
    const std::lock_guard lock(mutex_);
    const size_t times = force ? 4 : 1;
    if (closed_ || records_ >= limits_.records * times || bytes_.size() + record.size() > limits_.bytes * times) {
      ++refused_;
      return 0;
    }
    bytes_.append(record);
    ++records_;
    place = ++pushed_;
    wake = sleeping_ || (gathering_ && records_ >= std::min(limits_.batch, limits_.records / 2));
    if (wake) sleeping_ = gathering_ = false;
  }
  if (wake) filled_.notify_one();
  return place;
}

size_t BatchQueue::take(std::string& out, std::chrono::milliseconds wait, std::chrono::milliseconds gather) {
  out.clear();
  std::unique_lock lock(mutex_);
  if (records_ == 0 && !closed_) {
    sleeping_ = true;
    filled_.wait_for(lock, wait, [&] { return records_ > 0 || closed_ || woken_; });
    sleeping_ = false;
  }
  const size_t enough = std::min(limits_.batch, limits_.records / 2);
  if (records_ > 0 && !closed_ && gather.count() > 0 && records_ < enough) {
    gathering_ = true;
    filled_.wait_for(lock, gather, [&] { return closed_ || records_ >= enough; });
    gathering_ = false;
  }
  woken_ = false;
  out.swap(bytes_);
  const size_t count = records_;
  records_ = 0;
  return count;
}

void BatchQueue::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  filled_.notify_all();
}

void BatchQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  filled_.notify_all();
}

bool BatchQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

size_t BatchQueue::records() const {
  const std::lock_guard lock(mutex_);
  return records_;
}

uint64_t BatchQueue::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace yett::base
