// Listeners as seen by the loops.
#pragma once

#include <memory>

#include "base/metrics.h"
#include "identity/jwt_provider.h"
#include "net/tls_context.h"
#include "proxy/listener_config.h"
#include "proxy/route_table.h"

namespace yett::proxy {

/// A listener in one generation. Immutable; an exchange pins the one that it started with.
struct ListenerState {
  ListenerConfig config;
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const net::TlsContext> tls;  ///< null: plaintext
  std::string own_id;                          ///< Yett's SPIFFE ID, "" if it has none
  std::shared_ptr<const identity::JwtProviders> providers;
  RateLimits rate_limits;  ///< of all routes together
};

/// A listener's place on one loop: its state is replaced by reload, its sessions stay.
struct ListenerSlot {
  std::shared_ptr<const ListenerState> state;
  bool removed = false;  ///< the current generation no longer has it
  base::Counter* connections = nullptr;
  base::Counter* handshakes_done = nullptr;
  base::Counter* handshakes_failed = nullptr;
};

}  // namespace yett::proxy
