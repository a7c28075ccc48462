// A service behind Yett: its endpoints and how to talk to them. Immutable; names are resolved when it is made, off the
// loops.
#pragma once

#include <Poco/Net/SocketAddress.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "target/path_profile.h"
#include "upstream/balance.h"
#include "upstream/retry_budget.h"

namespace yett::upstream {

/// The protocol to endpoints. kAuto: that of the caller, HTTP/2 requests over HTTP/2, others over HTTP/1.1.
enum class Protocol : uint8_t { kHttp1, kHttp2, kAuto };

struct ClusterConfig {
  std::string name;
  std::vector<std::string> endpoints;  ///< host:port, [v6]:port or unix:///path
  std::vector<uint32_t> weights;       ///< of the endpoints; shorter: 1 for the rest
  Balance balance = Balance::kLeastRequest;
  HashKey hash;
  OutlierConfig outliers;
  RetryBudgetConfig retry_budget;
  Protocol protocol = Protocol::kHttp1;
  target::PathProfile path_profile = target::PathProfile::kStrict;
  CircuitBreakers breakers;
  uint64_t max_request_head = 8 << 10;         ///< bytes; over HTTP/2 a larger one gets a separate connection
  uint64_t max_response_head = 64 << 10;       ///< bytes, and
  int64_t max_response_fields = 100;           ///< fields of a response's head or trailers; beyond it 502
  std::string token_audience = {};             ///< requests carry a JWT-SVID of Yett's own for it; "": none
  std::string token_header = "authorization";  ///< where; in authorization after `Bearer`
  base::Millis connect_timeout{2000};
  base::Millis idle_timeout{30'000};  ///< a pooled connection is closed after this
  bool operator==(const ClusterConfig&) const = default;
};

struct Endpoint {
  std::string name;                  ///< as configured
  Poco::Net::SocketAddress address;  ///< one of the name's addresses
  uint32_t weight = 1;
  bool operator==(const Endpoint& other) const {
    return name == other.name && address == other.address && weight == other.weight;
  }
};

struct Cluster {
  ClusterConfig config;
  std::vector<Endpoint> endpoints;
  std::shared_ptr<RetryBudget> budget;  ///< of all loops; never null
  std::shared_ptr<ClusterLoad> load;    ///< likewise
  /// Blocks on DNS: never on a loop.
  static Result<std::shared_ptr<const Cluster>> create(const ClusterConfig& config);
};

}  // namespace yett::upstream
