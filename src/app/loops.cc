#include "app/loops.h"

#include <algorithm>

#include "base/clock.h"
#include "base/mutex.h"

namespace yett::app {
namespace {

constexpr base::Millis kStalled{1000};  // a loop that is blocked for this long is reported
constexpr base::Millis kLook{100};

std::string seconds(int64_t nanos) {
  const int64_t tenths = nanos / 100'000'000;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s";
}

// One task that is being run on every loop.
struct Spread {
  explicit Spread(size_t loops) : left(loops) {}
  base::Mutex mutex;
  base::Condition done;
  size_t left YETT_GUARDED_BY(mutex);
  bool given_up YETT_GUARDED_BY(mutex) = false;  // the main thread no longer waits
  bool failed YETT_GUARDED_BY(mutex) = false;    // the task threw on a loop
  Loops::Task task;
  std::function<void()> late;

  void ran(bool well) {
    std::function<void()> tell;
    {
      const base::Lock lock(mutex);
      failed = failed || !well;
      if (--left > 0) return;
      if (given_up && !failed) tell = std::move(late);
      task = nullptr;  // destroys what it owns here, unless the main thread still holds a copy
      done.notifyAll();
    }
    if (tell) tell();
  }
};

}  // namespace

Loops::Loops(base::Logger& log, base::Metrics& metrics) : log_(log), metrics_(metrics) {}

Loops::~Loops() {
  {
    const base::Lock lock(watch_mutex_);
    watch_ends_ = true;
    watch_wakes_.notifyAll();
  }
  if (watcher_.joinable()) watcher_.join();
}

Status Loops::create(size_t count, const std::function<void(Loop&)>& fill) {
  for (size_t i = 0; i < count; ++i) {
    Loop& loop = *loops_.emplace_back(std::make_unique<Loop>());
    loop.index = i;
    if (!loop.loop.failure().empty()) return Error{loop.loop.failure()};
    loop.loop.onFault([this, i](const char* what) {
      metrics_.counter("yett_loop_faults_total", {}, "connections and tasks given up because of an exception").add();
      log_.error("exception on an event loop", {{"loop", std::to_string(i)}, {"why", what}});
    });
    fill(loop);
  }
  metrics_.counter("yett_loop_faults_total", {}, "connections and tasks given up because of an exception");
  metrics_.counter("yett_loop_stalls_total", {}, "times that an event loop was blocked for a second");
  const auto stalled = [this]() -> int64_t {
    int64_t longest = 0;
    for (const auto& loop : loops_) longest = std::max(longest, loop->loop.pulse().busy_nanos / 1000);
    return longest >= kStalled.count() * 1000 ? longest : 0;
  };
  metrics_.gauge("yett_loop_stalled_seconds", "how long the longest-blocked loop has been blocked; 0 if under 1 s",
                 stalled, base::Metrics::Shown::kSeconds);
  return {};
}

void Loops::run() {
  ready_.store(true, std::memory_order_release);
  for (auto& loop : loops_) {
    loop->thread = std::thread([l = loop.get()] {
      l->loop.run();
      l->ended.store(true, std::memory_order_release);
    });
  }
  watcher_ = std::thread([this] { watch(); });
}

bool Loops::onAll(Task task, base::Millis limit, std::function<void()> late) {
  const auto spread = std::make_shared<Spread>(loops_.size());
  spread->task = std::move(task);
  spread->late = std::move(late);
  const Task held = spread->task;  // so that what it owns (maybe a large Lua state) is destroyed on this thread, if all
                                   // went well
  for (auto& loop : loops_) {
    loop->loop.post([spread, l = loop.get()] {
      try {
        spread->task(*l);
      } catch (...) {
        spread->ran(false);
        throw;
      }
      spread->ran(true);
    });
  }
  base::Lock lock(spread->mutex);
  const bool all = spread->done.waitFor(lock, limit, [&]() YETT_REQUIRES(spread->mutex) { return spread->left == 0; });
  spread->given_up = !all;
  return all && !spread->failed;
}

void Loops::post(const Task& task) {
  if (!ready_.load(std::memory_order_acquire)) return;
  for (auto& loop : loops_) loop->loop.post([task, l = loop.get()] { task(*l); });
}

std::string Loops::stalled(base::Millis limit) const {
  const Loop* longest = nullptr;
  net::EventLoop::Pulse found;
  for (const auto& loop : loops_) {
    const auto pulse = loop->loop.pulse();
    if (pulse.busy_nanos <= found.busy_nanos || pulse.busy_nanos < limit.count() * 1'000'000) continue;
    longest = loop.get();
    found = pulse;
  }
  if (longest == nullptr) return "";
  return "loop " + std::to_string(longest->index) + " has been blocked for " + seconds(found.busy_nanos) +
         ", doing: " + found.doing;
}

void Loops::watch() {
  std::vector<int64_t> stalled(loops_.size(), 0);  // for how long, once it was reported
  auto& stalls = metrics_.counter("yett_loop_stalls_total", {}, "times that an event loop was blocked for a second");
  base::Lock lock(watch_mutex_);
  while (!watch_wakes_.waitFor(lock, kLook, [this]() YETT_REQUIRES(watch_mutex_) { return watch_ends_; })) {
    for (const auto& loop : loops_) {
      const auto pulse = loop->loop.pulse();
      int64_t& known = stalled[loop->index];
      const bool stands = pulse.busy_nanos >= kStalled.count() * 1'000'000;
      if (stands && known == 0) {
        stalls.add();
        log_.error("an event loop is blocked",
                   {{"loop", std::to_string(loop->index)}, {"for", seconds(pulse.busy_nanos)}, {"doing", pulse.doing}});
      }
      if (!stands && known != 0)
        log_.warning("the event loop runs again", {{"loop", std::to_string(loop->index)}, {"after", seconds(known)}});
      known = stands ? pulse.busy_nanos : 0;
    }
  }
}

bool Loops::stop(Task last, base::Millis limit) {
  for (auto& loop : loops_) {
    if (!loop->thread.joinable()) continue;
    loop->loop.post([last, l = loop.get()] { last(*l); });
    loop->loop.stop();
  }
  const int64_t until = base::steadyNanos() + limit.count() * 1'000'000;
  const auto running = [](const auto& loop) {
    return loop->thread.joinable() && !loop->ended.load(std::memory_order_acquire);
  };
  for (auto& loop : loops_) {
    while (running(loop) && base::steadyNanos() < until) std::this_thread::sleep_for(base::Millis(2));
    if (running(loop)) return false;
    if (loop->thread.joinable()) loop->thread.join();
  }
  return true;
}

}  // namespace yett::app
