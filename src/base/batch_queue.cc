#include "base/batch_queue.h"

#include <algorithm>

#include "base/text.h"

namespace yett::base {

uint64_t BatchQueue::push(std::string_view record, bool force) {
  bool wake = false;
  uint64_t place = 0;
  {
    const Lock lock(mutex_);
    const size_t times = force ? 4 : 1;
    if (closed_ || records_ >= limits_.records * times || bytes_.size() + record.size() > limits_.bytes * times) {
      ++refused_;
      return 0;
    }
    bytes_.append(record);
    ++records_;
    place = ++pushed_;
    // No atomic add: this queue is the only writer, under the mutex.
    if (counter_ != nullptr) counter_->store(counter_->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    wake = records_ >= wake_at_;
    if (wake) wake_at_ = SIZE_MAX;
  }
  if (wake) filled_.notifyOne();
  return place;
}

bool BatchQueue::await(std::chrono::milliseconds wait) {
  Lock lock(mutex_);
  if (records_ == 0 && !closed_ && !woken_) {
    wake_at_ = 1;
    filled_.waitFor(lock, wait, [&]() YETT_REQUIRES(mutex_) { return records_ > 0 || closed_ || woken_; });
    wake_at_ = SIZE_MAX;
  }
  return records_ > 0;
}

size_t BatchQueue::take(std::string& out, Clock::time_point until, size_t enough) {
  out.clear();
  enough = std::min(enough, limits_.records / 2);
  Lock lock(mutex_);
  if (records_ < enough && !closed_ && !woken_ && until > Clock::now()) {
    wake_at_ = enough;
    filled_.waitUntil(lock, until, [&]() YETT_REQUIRES(mutex_) { return records_ >= enough || closed_ || woken_; });
    wake_at_ = SIZE_MAX;
  }
  woken_ = false;
  freeIfOversized(out, bytes_.size());
  out.swap(bytes_);
  const size_t count = records_;
  records_ = 0;
  return count;
}

void BatchQueue::wake() {
  {
    const Lock lock(mutex_);
    woken_ = true;
  }
  filled_.notifyAll();
}

void BatchQueue::close() {
  {
    const Lock lock(mutex_);
    closed_ = true;
  }
  filled_.notifyAll();
}

bool BatchQueue::closed() const {
  const Lock lock(mutex_);
  return closed_;
}

double BatchQueue::fullness() const {
  const Lock lock(mutex_);
  return std::max(static_cast<double>(records_) / static_cast<double>(limits_.records),
                  static_cast<double>(bytes_.size()) / static_cast<double>(limits_.bytes));
}

size_t BatchQueue::records() const {
  const Lock lock(mutex_);
  return records_;
}

uint64_t BatchQueue::pushed() const {
  const Lock lock(mutex_);
  return pushed_;
}

uint64_t BatchQueue::refused() const {
  const Lock lock(mutex_);
  return refused_;
}

}  // namespace yett::base
