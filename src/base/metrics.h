// Counters, gauges and histograms in Prometheus text format. Callers get a handle once and then update it without a
// lock. Any thread may add series (this takes a lock); handles live as long as the registry.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace yett::base {

/// A number that goes up, or up and down. Any thread.
class Counter {
 public:
  void add(int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

/// Durations in fixed buckets from 5 us to 10 s. Any thread.
class Histogram {
 public:
  static constexpr std::array<int64_t, 16> kBoundsMicros = {
      5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10'000, 25'000, 100'000, 500'000, 2'500'000, 10'000'000};
  void observeMicros(int64_t micros);

 private:
  friend class Metrics;
  std::array<std::atomic<int64_t>, kBoundsMicros.size() + 1> buckets_{};
  std::atomic<int64_t> sum_{0};
};

using Label = std::pair<std::string_view, std::string_view>;
/// `{cluster="app"}`; "" without labels.
std::string labelText(const std::vector<Label>& labels);

class Metrics {
 public:
  /// The series with this name and these labels, created on first use. `kind` is "counter" or "gauge".
  Counter& counter(std::string_view name, const std::vector<Label>& labels, std::string_view help,
                   const char* kind = "counter");
  Histogram& histogram(std::string_view name, std::string_view help);
  /// A value that `read` returns at each scrape: as it is, or microseconds that are shown in seconds.
  enum class Shown { kAsIs, kSeconds };
  void gauge(std::string_view name, std::string_view help, std::function<int64_t()> read, Shown shown = Shown::kAsIs);
  /// The same of a value that only grows.
  void counted(std::string_view name, std::string_view help, std::function<int64_t()> read);
  /// All series as Prometheus text (exposition format 0.0.4).
  std::string text() const;

 private:
  struct Family {
    std::string help;
    std::string kind;
    std::map<std::string, Counter*> series;
    Histogram* histogram = nullptr;
    std::function<int64_t()> read;
    Shown shown = Shown::kAsIs;
  };
  mutable Mutex mutex_;  // does not guard the values in counters and histograms
  std::map<std::string, Family, std::less<>> families_ YETT_GUARDED_BY(mutex_);
  std::deque<Counter> counters_ YETT_GUARDED_BY(mutex_);
  std::deque<Histogram> histograms_ YETT_GUARDED_BY(mutex_);
};

}  // namespace yett::base
