// Settings of listeners and their routes.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"
#include "http/limits.h"
#include "net/tls_context.h"
#include "target/host.h"
#include "target/segment_pattern.h"

namespace yett::proxy {

struct RouteConfig {
  std::string path = "/**";
  std::vector<std::string> hosts;
  std::vector<std::string> methods;
  std::string cluster;
  base::Millis response_timeout{15'000};  ///< from the whole request sent to the response's head
  bool allow_encoded_slashes = false;
  bool forward_trailers = false;  ///< request trailers, which policy never sees
  uint64_t buffer_body = 0;       ///< bytes of a request's body that policy may see, all of it or a 413; 0: none
};

/// Limits of time; defaults meant to survive the open internet.
struct Timeouts {
  base::Millis handshake{10'000};
  base::Millis request_head{15'000};  ///< from the first byte to the last of a head
  base::Millis idle{60'000};          ///< between two requests
  base::Millis body{60'000};          ///< between two pieces of a body, either way
  base::Millis lifetime{86'400'000};  ///< of an exchange, however lively
};

struct ListenerConfig {
  std::string name;
  std::string address;
  bool plaintext = false;
  net::ClientCertificate client_certificate = net::ClientCertificate::kRequired;
  std::vector<std::string> trusted_forwarders;
  std::vector<RouteConfig> routes;
  Timeouts timeouts;
  http::Limits limits;
};

}  // namespace yett::proxy
