// A service behind Yett: its endpoints and how to talk to them. Immutable but for the endpoints, which DNS may change.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "net/tls_client.h"
#include "target/path_profile.h"
#include "upstream/balance.h"
#include "upstream/endpoint.h"
#include "upstream/health_config.h"
#include "upstream/retry_budget.h"

namespace yett::upstream {

/// The protocol to endpoints. kAuto: over TLS what ALPN (RFC 7301) agrees on, else that of the caller, HTTP/2 requests
/// over HTTP/2, others over HTTP/1.1.
enum class Protocol : uint8_t { kHttp1, kHttp2, kAuto };

/// TLS to the endpoints, with Yett's own SVID. Whom to accept is `peers` or `peer_name`.
struct TlsConfig {
  bool on = false;
  std::vector<std::string> peers;  ///< SPIFFE IDs, or "spiffe://example.org" for a whole trust domain
  std::string peer_name;           ///< a DNS name
  std::string ca;                  ///< file of the authorities for peer_name; "": those of the system
  std::string sni;                 ///< "": peer_name, or the endpoint's DNS name
  bool own_certificate = true;     ///< is shown if there is one
  bool operator==(const TlsConfig&) const = default;
};

struct ClusterConfig {
  std::string name;
  std::vector<EndpointConfig> endpoints;
  Balance balance = Balance::kLeastRequest;
  HashKey hash;
  std::string own_zone = {};  ///< where Yett runs
  bool prefer_own_zone = false;
  int64_t panic_threshold = 30;  ///< percent of healthy endpoints below which health does not count
  base::Millis slow_start{0};
  TlsConfig tls;
  HealthCheckConfig health;
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
  /// A busy HTTP/2 connection that is silent for this long is probed by a PING; 0: never. Servers of gRPC close a
  /// connection with more frequent ones.
  base::Millis keep_alive{300'000};
  bool operator==(const ClusterConfig&) const = default;
};

struct Cluster {
  ClusterConfig config;
  std::shared_ptr<EndpointSet> endpoints;     ///< never null
  std::shared_ptr<const net::TlsClient> tls;  ///< null: plaintext
  std::shared_ptr<RetryBudget> budget;        ///< of all loops; never null
  std::shared_ptr<ClusterLoad> load;          ///< likewise
  /// `before`: the cluster of this name so far, or null. What it has in common stays: endpoints with their health,
  /// counts, the budget. Asks no DNS.
  static Result<std::shared_ptr<const Cluster>> create(const ClusterConfig& config, const Cluster* before = nullptr,
                                                       std::shared_ptr<const net::TlsClient> tls = nullptr);
};

/// Whether connections of the one serve the other too.
bool sameConnections(const Cluster& a, const Cluster& b);

}  // namespace yett::upstream
