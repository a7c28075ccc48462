#include "upstream/retry_budget.h"

#include <algorithm>

namespace yett::upstream {

// What is saved up is bounded: ten seconds of the minimum, and a hundred retries.
void RetryBudget::add(int64_t parts) {
  const int64_t most = (10 * config_.min_retries_per_second + 100) * kWhole;
  if (parts_.load(std::memory_order_relaxed) < most) parts_.fetch_add(parts, std::memory_order_relaxed);
}

bool RetryBudget::take(int64_t now_millis) {
  int64_t filled = filled_at_.load(std::memory_order_relaxed);
  const int64_t passed = filled == 0 ? 0 : std::min<int64_t>(now_millis - filled, 10'000);
  const int64_t earned = passed * config_.min_retries_per_second * kWhole / 1000;
  // Whoever moves the time forward earns what it brought; a fraction that is too small to count stays.
  if ((earned > 0 || filled == 0) && filled_at_.compare_exchange_strong(filled, now_millis)) add(earned);
  int64_t left = parts_.load(std::memory_order_relaxed);
  while (left >= kWhole) {
    if (parts_.compare_exchange_weak(left, left - kWhole, std::memory_order_relaxed)) return true;
  }
  return false;
}

}  // namespace yett::upstream
