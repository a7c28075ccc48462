// Chooses among the endpoints of a cluster.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace yett::upstream {

/// Round robin over all requests of one loop, regardless of connections. Skips an endpoint for a while after a failed
/// connection attempt, unless all have failed. Belongs to its pool.
class Balancer {
 public:
  explicit Balancer(size_t endpoints) : failed_until_(endpoints, 0) {}

  /// The endpoint for a new request. REQUIRES: there is one.
  size_t next(int64_t now_millis);
  /// The one to try after `endpoint`, for the same request.
  size_t after(size_t endpoint) const { return (endpoint + 1) % failed_until_.size(); }
  /// A connection to it failed.
  void failed(size_t endpoint, int64_t now_millis) { failed_until_[endpoint] = now_millis + kRest; }
  /// A connection to it succeeded.
  void worked(size_t endpoint) { failed_until_[endpoint] = 0; }

 private:
  static constexpr int64_t kRest = 10'000;  // milliseconds
  std::vector<int64_t> failed_until_;       // the loop's clock
  size_t next_ = 0;
};

}  // namespace yett::upstream
