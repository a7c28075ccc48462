// How a cluster's requests are shared out among its endpoints: settings.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/units.h"

namespace yett::upstream {

enum class Balance : uint8_t {
  kLeastRequest,  ///< of two endpoints chosen by weight, the first, unless the second has clearly fewer in flight
  kRoundRobin,    ///< in turn, spread evenly by weight
  kRandom,        ///< at random by weight
  kRingHash,      ///< the same endpoint for the same key, while it is usable
};

/// What kRingHash takes the key from.
struct HashKey {
  enum class From : uint8_t { kNone, kHeader, kCookie, kPrincipal, kSource };
  From from = From::kNone;
  std::string name;  ///< of the header, in lower case, or of the cookie
  bool operator==(const HashKey&) const = default;
};

/// When an endpoint that fails gets no requests for a while.
struct OutlierConfig {
  int64_t consecutive_failures = 5;  ///< 0: never
  base::Millis base_ejection_time{30'000};
  int64_t max_ejection_percent = 50;  ///< of the endpoints; rounded down
  bool operator==(const OutlierConfig&) const = default;
};

/// Limits of a cluster, for all loops together. What is over is refused at once, so that it does not pile up in front
/// of a service that is slow.
struct CircuitBreakers {
  int64_t max_connections = 4096;
  int64_t max_pending_requests = 4096;  ///< that wait for a connection
  int64_t max_requests = 16384;         ///< in flight, waiting ones included
  bool operator==(const CircuitBreakers&) const = default;
};

/// What all loops together have under way to a cluster; any thread.
struct ClusterLoad {
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> pending{0};
  std::atomic<int64_t> requests{0};
  std::atomic<int64_t> crowded_at{0};            ///< a request found no room for a connection; steady milliseconds
  std::atomic<const void*> crowded_by{nullptr};  ///< the pool of its loop
};

}  // namespace yett::upstream
