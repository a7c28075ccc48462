// Settings of listeners and their routes.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/units.h"
#include "http/limits.h"
#include "net/tls_context.h"
#include "proxy/rate_limit.h"
#include "proxy/retry_config.h"
#include "target/host.h"
#include "target/segment_pattern.h"
#include "upstream/balance.h"

namespace yett::proxy {

struct RouteConfig {
  std::string path = "/**";
  std::vector<std::string> hosts;
  std::vector<std::string> methods;
  std::map<std::string, std::string>
      headers;          ///< that the request must have, once and with this value; lower case names
  std::string cluster;  ///< of `clusters`: the first
  std::vector<std::pair<std::string, uint32_t>> clusters;  ///< by weight, which of them may be 0; none: `cluster`
  upstream::HashKey split_by;                              ///< what decides among them; nothing: chance
  base::Millis response_timeout{15'000};                   ///< from the whole request sent to the response's head
  bool allow_encoded_slashes = false;
  bool forward_parameters = false;      ///< `;...` in path segments, which rules never see
  bool websocket = false;               ///< `upgrades` lists it
  base::Millis idle_timeout{0};         ///< of streams, instead of the listener's; 0: the listener's
  bool forward_trailers = false;        ///< request trailers, which policy never sees
  bool exact_names = false;             ///< in JSON bodies, names that differ only in case are distinct; `json_keys`
  std::vector<std::string> json_types;  ///< content types that are JSON, besides the common ones
  std::map<std::string, bool> jwt;      ///< providers whose tokens are looked at; true: required
  RetryConfig retry;
  std::vector<RateLimitConfig> rate_limits;
  uint64_t buffer_body = 0;  ///< bytes of a request's body that policy may see, all of it or a 413; 0: none
};

/// Which versions of HTTP a listener speaks. kAuto: both; the caller chooses (ALPN, or its first bytes on plaintext).
enum class Protocol : uint8_t { kAuto, kHttp1, kHttp2 };

/// Time limits; the defaults are meant to survive the open internet.
struct Timeouts {
  base::Millis handshake{10'000};
  base::Millis request_head{15'000};  ///< from the first byte to the last of a head
  base::Millis idle{60'000};          ///< between two requests
  base::Millis body{60'000};          ///< between two pieces of a request's body, or for a client that does not read
  base::Millis stream_idle{300'000};  ///< between two pieces of data once the response has begun, and for gRPC
  base::Millis lifetime{86'400'000};  ///< of an exchange, even if it is active
};

/// What happens to a connection when its caller's certificate expires. kDrain: it takes no new requests from shortly
/// before and then closes. kClose: it closes. kIgnore: nothing, the handshake was enough.
enum class OnExpiry : uint8_t { kDrain, kClose, kIgnore };

struct ListenerConfig {
  std::string name;
  std::string address;
  mode_t socket_mode = 0600;  ///< if the address is a Unix socket
  bool plaintext = false;
  Protocol protocol = Protocol::kAuto;
  net::ClientCertificate client_certificate = net::ClientCertificate::kRequired;
  OnExpiry on_expiry = OnExpiry::kDrain;
  base::Millis max_connection_age{0};    ///< then it takes no new requests; 0: no limit
  int64_t handshakes_per_second = 1000;  ///< new ones, on all loops; more wait, up to the handshake timeout
  std::vector<std::string> trusted_forwarders;
  bool append_client_cert = true;         ///< keep x-forwarded-client-cert of trusted forwarders, and append to it
  std::vector<std::string> keep_headers;  ///< families (header_families.h) that these may set too
  std::vector<RouteConfig> routes;
  std::vector<RateLimitConfig> rate_limits;  ///< of all routes together
  Timeouts timeouts;
  http::Limits limits;
};

}  // namespace yett::proxy
