// Chooses among the endpoints of a cluster, for the requests of one loop. Belongs to its pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "upstream/balance.h"
#include "upstream/endpoint_states.h"
#include "upstream/ring.h"

namespace yett::upstream {

/// Takes only endpoints that are usable, unless none is: then all count.
class Balancer {
 public:
  /// `names`: for the ring. `states` outlives it. REQUIRES: there is an endpoint, and no weight is 0.
  Balancer(Balance kind, const std::vector<std::string>& names, std::vector<uint32_t> weights,
           const EndpointStates& states);

  /// The endpoint for a new request. `key`: of kRingHash (ringKey()); nothing: chosen as by kLeastRequest.
  size_t next(int64_t now_millis, std::optional<uint64_t> key);
  /// The one to try after `endpoint`, for the same request: the next that is usable, else the next.
  size_t after(size_t endpoint, int64_t now_millis);
  /// Another than `endpoint` if one is usable; else the same.
  size_t other(size_t endpoint, int64_t now_millis) const;

 private:
  size_t leastRequest(int64_t now_millis);
  size_t roundRobin(int64_t now_millis);
  size_t byWeight(int64_t now_millis);
  bool anyUsable(int64_t now_millis) const;

  const Balance kind_;
  const std::vector<uint32_t> weights_;
  const EndpointStates& states_;
  std::vector<uint64_t> sums_;   // of the weights up to and with each endpoint
  std::vector<int64_t> credit_;  // of kRoundRobin
  int64_t price_ = 0;            // likewise: what the last turn cost
  std::optional<Ring> ring_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace yett::upstream
