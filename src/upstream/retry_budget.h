// How many retries a cluster may get: a share of its requests, and a few per second. Without a limit, a service that
// fails gets several times its load just when it can bear least. One for all loops; any thread.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>

namespace yett::upstream {

struct RetryBudgetConfig {
  double ratio = 0.2;                   ///< of the requests
  int64_t min_retries_per_second = 10;  ///< in addition
  bool operator==(const RetryBudgetConfig&) const = default;
};

class RetryBudget {
 public:
  explicit RetryBudget(const RetryBudgetConfig& config)
      : config_(config), share_(std::lround(config.ratio * kWhole)), parts_(config.min_retries_per_second * kWhole) {}

  /// Counts a request, not a retry.
  void request() { add(share_); }
  /// Whether a retry may be made; takes it from the budget.
  bool take(int64_t now_millis);

 private:
  static constexpr int64_t kWhole = 1000;
  void add(int64_t parts);
  const RetryBudgetConfig config_;
  const int64_t share_;         // thousandths of a retry for each request
  std::atomic<int64_t> parts_;  // of retries
  std::atomic<int64_t> filled_at_{0};
};

}  // namespace yett::upstream
