#include "proxy/rate_limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

namespace yett::proxy {
namespace {

constexpr int64_t kSweepEvery = 100'000'000;  // nanoseconds

}  // namespace

int64_t TokenBucket::take(int64_t& full_at, int64_t now, int64_t interval, int64_t burst) {
  const int64_t ahead = std::max<int64_t>(full_at - now, 0);
  const int64_t most = (burst - 1) * interval;
  if (ahead > most) return ahead - most;
  full_at = now + ahead + interval;
  return 0;
}

RateLimit::RateLimit(const RateLimitConfig& config)
    : config_(config),
      interval_(std::max<int64_t>(1, config.per.count() * 1'000'000 / std::max<int64_t>(1, config.requests))),
      burst_(config.burst > 0 ? config.burst : config.requests) {}

int64_t RateLimit::takeShared(int64_t now) {
  int64_t full_at = all_.load(std::memory_order_relaxed);
  for (;;) {
    int64_t next = full_at;
    const int64_t wait = TokenBucket::take(next, now, interval_, burst_);
    if (wait > 0) return wait;
    if (all_.compare_exchange_weak(full_at, next, std::memory_order_relaxed)) return 0;
  }
}

// A bucket that is full again is the same as none, so only those are forgotten: nobody gets more by being forgotten.
int64_t& RateLimit::bucketOf(Shard& shard, std::string_view key, int64_t now) {
  const auto known = shard.full_at.find(key);
  if (known != shard.full_at.end()) return known->second;
  if (shard.full_at.size() >= kMostKeys / kShards && now - shard.swept_at >= kSweepEvery) {
    shard.swept_at = now;
    std::erase_if(shard.full_at, [&](const auto& item) { return item.second <= now; });
  }
  if (shard.full_at.size() >= kMostKeys / kShards) return shard.others;
  return shard.full_at.emplace(key, 0).first->second;
}

int64_t RateLimit::take(std::string_view key, int64_t now) {
  if (config_.by == RateLimitConfig::By::kAll) return takeShared(now);
  Shard& shard = shardOf(key);
  const base::Lock lock(shard.mutex);
  return TokenBucket::take(bucketOf(shard, key, now), now, interval_, burst_);
}

void RateLimit::giveBack(std::string_view key) {
  if (config_.by == RateLimitConfig::By::kAll) {
    all_.fetch_sub(interval_, std::memory_order_relaxed);
    return;
  }
  Shard& shard = shardOf(key);
  const base::Lock lock(shard.mutex);
  const auto known = shard.full_at.find(key);
  (known != shard.full_at.end() ? known->second : shard.others) -= interval_;
}

size_t RateLimit::keys() const {
  size_t out = 0;
  for (const auto& shard : shards_) {
    const base::Lock lock(shard.mutex);
    out += shard.full_at.size();
  }
  return out;
}

RateLimits makeRateLimits(const std::vector<RateLimitConfig>& configs, const RateLimits* before) {
  RateLimits out;
  for (const auto& config : configs) {
    const auto same = [&](const std::shared_ptr<RateLimit>& limit) {
      return limit->config() == config && std::find(out.begin(), out.end(), limit) == out.end();
    };
    const auto known =
        before == nullptr ? RateLimits::const_iterator() : std::find_if(before->begin(), before->end(), same);
    const bool goes_on = before != nullptr && known != before->end();
    out.push_back(goes_on ? *known : std::make_shared<RateLimit>(config));
  }
  return out;
}

std::string_view sourceKey(std::string_view address, std::string& scratch) {
  if (address.find(':') == std::string_view::npos) return address;
  in6_addr parsed{};
  scratch.assign(address);
  if (::inet_pton(AF_INET6, scratch.c_str(), &parsed) != 1) return address;
  scratch.assign(reinterpret_cast<const char*>(&parsed), 8);
  return scratch;
}

}  // namespace yett::proxy
