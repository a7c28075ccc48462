#include "net/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>

#include "base/clock.h"

namespace yett::net {

static constexpr int64_t kNever = INT64_MAX;

void Timer::cancel() {
  if (next_ == nullptr) return;
  next_->prev_ = prev_;
  prev_->next_ = next_;
  next_ = prev_ = nullptr;
}

EventLoop::EventLoop() : scratch_(new char[kScratchSize]) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (epoll_ < 0 || wake_ < 0) failure_ = std::string("cannot create an event loop: ") + std::strerror(errno);
  epoll_event event{EPOLLIN, {.ptr = nullptr}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
  for (size_t i = 0; i < kSlots; ++i) {
    auto& head = slots_.emplace_back(std::make_unique<Timer>(nullptr));
    head->next_ = head->prev_ = head.get();
  }
  turns_.next_ = turns_.prev_ = &turns_;
  slow_.next_ = slow_.prev_ = &slow_;
  updateTime();
  tick_ = now_millis_ / kTickMillis;
  next_due_ = kNever;
}

EventLoop::~EventLoop() {
  posted_.clear();
  finishBatch();
  for (auto& head : slots_) {
    while (head->next_ != head.get()) head->next_->cancel();
    head->next_ = head->prev_ = nullptr;
  }
  for (Timer* head : {&turns_, &slow_}) {
    while (head->next_ != head) head->next_->cancel();
    head->next_ = head->prev_ = nullptr;
  }
  if (wake_ >= 0) ::close(wake_);
  if (epoll_ >= 0) ::close(epoll_);
}

EventLoop::Pulse EventLoop::pulse() const {
  const int64_t since = busy_since_.load(std::memory_order_relaxed);
  if (since == 0) return {};
  return {std::max<int64_t>(base::steadyNanos() - since, 0), doing_.load(std::memory_order_relaxed)};
}

// Memory may run out. Then only this step is abandoned and everything else continues.
template <typename Step>
bool EventLoop::guarded(Step step) {
  try {
    step();
    return true;
  } catch (const std::exception& e) {
    fault(e.what());
  } catch (...) {
    fault("unknown");
  }
  return false;
}

void EventLoop::fault(const char* what) {
  try {
    if (fault_told_) fault_told_(what);
  } catch (...) {  // not even enough memory to report it
  }
}

void EventLoop::keepBuffer(std::string buffer) {
  constexpr size_t kMax = 16;
  constexpr size_t kLargest = 256 << 10;
  if (kept_.size() < kMax && buffer.capacity() <= kLargest) kept_.push_back(std::move(buffer));
}

void EventLoop::takeBuffer(std::string& buffer) {
  if (kept_.empty()) return;
  buffer = std::move(kept_.back());
  kept_.pop_back();
}

void EventLoop::updateTime() {
  const int64_t now = base::steadyNanos();
  now_millis_ = now / 1'000'000;
  busy_since_.store(now, std::memory_order_relaxed);
}

void EventLoop::post(std::function<void()> task) {
  bool wake = false;
  {
    const base::Lock lock(post_mutex_);
    wake = posted_.empty();
    posted_.push_back(std::move(task));
  }
  const uint64_t one = 1;
  if (wake && ::write(wake_, &one, sizeof one) < 0) return;  // EAGAIN: the loop is already awake
}

void EventLoop::stop() {
  post([this] { stopped_ = true; });
}

void EventLoop::add(int fd, uint32_t events, EventHandler& handler) {
  assertInLoop();
  epoll_event event{events, {.ptr = &handler}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

void EventLoop::modify(int fd, uint32_t events, EventHandler& handler) {
  epoll_event event{events, {.ptr = &handler}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
}

// Its events that are fetched but not handled yet are dropped: the handler may be gone by then.
void EventLoop::remove(int fd, EventHandler& handler) {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  for (size_t i = event_at_; i < event_count_; ++i) {
    if (events_[i].data.ptr == &handler) events_[i].data.ptr = this;
  }
}

void EventLoop::schedule(Timer& timer, base::Millis delay) {
  assertInLoop();
  timer.cancel();
  timer.due_ = std::max(tick_ + 1, (now_millis_ + delay.count()) / kTickMillis + 1);
  next_due_ = std::min(next_due_, timer.due_);
  append(*slots_[static_cast<size_t>(timer.due_) % kSlots], timer);
}

int64_t EventLoop::findNextDue() const {
  for (size_t ahead = 1; ahead <= kSlots; ++ahead) {
    const int64_t tick = tick_ + static_cast<int64_t>(ahead);
    const Timer& head = *slots_[static_cast<size_t>(tick) % kSlots];
    if (head.next_ != &head) return tick;
  }
  return kNever;
}

int EventLoop::nextTimeout() const {
  if (next_due_ == kNever) return -1;
  return static_cast<int>(std::clamp<int64_t>(next_due_ * kTickMillis - now_millis_, 0, 60'000));
}

void EventLoop::fireTimers() {
  const int64_t now_tick = now_millis_ / kTickMillis;
  if (now_tick < next_due_) {
    tick_ = now_tick;
    return;
  }
  const int64_t last = std::min(now_tick, tick_ + static_cast<int64_t>(kSlots));
  const int64_t until = base::steadyNanos() + kBatchNanos;
  bool over = false;
  for (int64_t tick = tick_ + 1; tick <= last; ++tick) {
    Timer& head = *slots_[static_cast<size_t>(tick) % kSlots];
    if (head.next_ == &head) continue;
    // Take them off the wheel first: a callback may schedule, cancel or destroy any timer, even in this slot.
    Timer due(nullptr);
    due.next_ = due.prev_ = &due;
    for (Timer* timer = head.next_; timer != &head;) {
      Timer* next = timer->next_;
      if (timer->due_ <= now_tick) {
        append(due, *timer);
      }
      timer = next;
    }
    for (int n = 1; due.next_ != &due; ++n) {
      Timer* timer = due.next_;
      timer->cancel();
      if (over) append(turns_, *timer);  // many may be due at one moment
      else guarded([&] { timer->fire_(); });
      over = over || (n % 4 == 0 && base::steadyNanos() >= until);
    }
    due.next_ = due.prev_ = nullptr;
  }
  tick_ = now_tick;
  next_due_ = findNextDue();
}

void EventLoop::append(Timer& head, Timer& timer) {
  timer.cancel();
  timer.next_ = &head;
  timer.prev_ = head.prev_;
  head.prev_->next_ = &timer;
  head.prev_ = &timer;
}

void EventLoop::nextTurn(Timer& timer) {
  append(turns_, timer);
}

void EventLoop::whenThereIsTime(Timer& timer) {
  if (!timer.waiting()) append(slow_, timer);
}

void EventLoop::runSlow() {
  if (slow_.next_ == &slow_) return;
  const int64_t until = base::steadyNanos() + kSlowNanos;
  do {
    Timer* timer = slow_.next_;
    timer->cancel();
    guarded([&] { timer->fire_(); });
  } while (slow_.next_ != &slow_ && base::steadyNanos() < until);
}

int64_t EventLoop::turnNanos() const {
  constexpr int64_t kMin = 30'000;
  constexpr int64_t kMax = 250'000;
  constexpr int64_t kForAll = 2'500'000;  // time in which all get a turn
  return std::clamp<int64_t>(kForAll / static_cast<int64_t>(event_count_ + turns_wanted_ + 1), kMin, kMax);
}

void EventLoop::runTurns() {
  size_t ran = 0;
  if (turns_.next_ == &turns_) return void(turns_wanted_ = 0);
  const int64_t until = base::steadyNanos() + kBatchNanos;
  Timer due(nullptr);
  due.next_ = turns_.next_;
  due.prev_ = turns_.prev_;
  due.next_->prev_ = due.prev_->next_ = &due;
  turns_.next_ = turns_.prev_ = &turns_;
  bool over = false;
  for (int n = 1; due.next_ != &due && !over; ++n) {
    Timer* timer = due.next_;
    timer->cancel();
    guarded([&] { timer->fire_(); });
    ++ran;
    over = n % 4 == 0 && base::steadyNanos() >= until;
  }
  turns_wanted_ = ran;
  for (const Timer* timer = due.next_; timer != &due; timer = timer->next_) ++turns_wanted_;
  // Timers that had no turn go before those that had one and want another.
  while (due.prev_ != &due) {
    Timer* timer = due.prev_;
    timer->cancel();
    timer->prev_ = &turns_;
    timer->next_ = turns_.next_;
    turns_.next_->prev_ = timer;
    turns_.next_ = timer;
  }
  due.next_ = due.prev_ = nullptr;
}

void EventLoop::runPosted() {
  std::vector<std::function<void()>> tasks;
  {
    const base::Lock lock(post_mutex_);
    tasks.swap(posted_);
  }
  for (auto& task : tasks) guarded(task);
}

void EventLoop::finishBatch() {
  while (!after_batch_.empty() || !graveyard_.empty()) {
    running_.swap(after_batch_);
    for (auto& task : running_) guarded(task);
    running_.clear();
    if (!after_batch_.empty()) continue;
    const auto dead = std::move(graveyard_);
    graveyard_.clear();
  }
}

void EventLoop::takeEvents() {
  if (event_at_ < event_count_) return updateTime();  // left over from the last batch, which ran out of time
  const bool busy = turns_.next_ != &turns_ || slow_.next_ != &slow_;
  const int timeout = busy ? 0 : nextTimeout();
  busy_since_.store(0, std::memory_order_relaxed);
  const int count = ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout);
  updateTime();
  event_at_ = 0;
  event_count_ = static_cast<size_t>(std::max(count, 0));
}

void EventLoop::handleEvents(bool& woken) {
  const int64_t until = busy_since_.load(std::memory_order_relaxed) + kBatchNanos;
  while (event_at_ < event_count_) {
    const epoll_event event = events_[event_at_++];
    if (event.data.ptr == nullptr) {
      uint64_t value = 0;
      woken = ::read(wake_, &value, sizeof value) > 0 || woken;
    } else if (event.data.ptr != this) {
      auto* handler = static_cast<EventHandler*>(event.data.ptr);
      if (!guarded([&] { handler->onEvents(event.events); })) guarded([&] { handler->onFault("out of memory"); });
    }
    if (event_at_ % 4 == 0 && base::steadyNanos() >= until) return;
  }
}

void EventLoop::run() {
  runner_ = std::this_thread::get_id();
  while (!stopped_) {
    takeEvents();
    bool woken = false;
    doing("events");
    handleEvents(woken);
    doing("tasks of other threads");
    if (woken) runPosted();
    doing("connections that had more to read");
    runTurns();
    doing("timers");
    fireTimers();
    doing("handshakes");
    runSlow();
    doing("sending");
    finishBatch();
  }
  event_at_ = event_count_ = 0;
  finishBatch();
  busy_since_.store(0, std::memory_order_relaxed);
  runner_ = std::thread::id();
}

}  // namespace yett::net
