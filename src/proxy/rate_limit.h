// Local rate limits: token buckets in this process, for all loops together.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/units.h"

namespace yett::proxy {

struct RateLimitConfig {
  enum class By : uint8_t {
    kAll,        ///< one bucket for all requests
    kPrincipal,  ///< one for each caller; all anonymous ones share one
    kSource,     ///< one for each address; of IPv6 for each /64
  };
  By by = By::kAll;
  int64_t requests = 0;  ///< per `per`, on average
  base::Millis per{1000};
  int64_t burst = 0;  ///< at once; 0: as many as `requests`
  bool operator==(const RateLimitConfig&) const = default;
};

/// Token bucket by the time when it would be full again (GCRA). Not synchronized.
class TokenBucket {
 public:
  /// Takes one. Returns 0, or after how many nanoseconds there will be one.
  static int64_t take(int64_t& full_at, int64_t now, int64_t interval, int64_t burst);
};

/// Any thread.
class RateLimit {
 public:
  explicit RateLimit(const RateLimitConfig& config);

  const RateLimitConfig& config() const { return config_; }
  /// Takes a request's token; `key` says whose. Returns 0, or after how many nanoseconds there may be one. `now`:
  /// steady nanoseconds.
  int64_t take(std::string_view key, int64_t now);
  /// The request was refused for another reason.
  void giveBack(std::string_view key);
  size_t keys() const;

  /// Buckets that are remembered. When they are all in use, further callers share one.
  static constexpr size_t kMostKeys = 16'384;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  struct Shard {
    mutable base::Mutex mutex;
    std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> full_at YETT_GUARDED_BY(mutex);
    int64_t others YETT_GUARDED_BY(mutex) = 0;
    int64_t swept_at YETT_GUARDED_BY(mutex) = 0;
  };
  static constexpr size_t kShards = 16;
  Shard& shardOf(std::string_view key) { return shards_[Hash()(key) % kShards]; }
  int64_t& bucketOf(Shard& shard, std::string_view key, int64_t now) YETT_REQUIRES(shard.mutex);
  int64_t takeShared(int64_t now);

  const RateLimitConfig config_;
  const int64_t interval_;  // nanoseconds for each request
  const int64_t burst_;
  std::atomic<int64_t> all_{0};  // of kAll
  std::array<Shard, kShards> shards_;
};

using RateLimits = std::vector<std::shared_ptr<RateLimit>>;

/// Limits for these settings; those that `before` has too go on.
RateLimits makeRateLimits(const std::vector<RateLimitConfig>& configs, const RateLimits* before);

/// The part of an address that kSource tells apart.
std::string_view sourceKey(std::string_view address, std::string& scratch);

}  // namespace yett::proxy
