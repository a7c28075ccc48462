// A listener as the loops have it.
#pragma once

#include <memory>

#include "base/metrics.h"
#include "net/tls_context.h"
#include "proxy/listener_config.h"
#include "proxy/route_table.h"

namespace yett::proxy {

/// A listener as one generation has it. Immutable; an exchange pins the one it began with.
struct ListenerState {
  ListenerConfig config;
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<const net::TlsContext> tls;  ///< null: plaintext
};

/// A listener's place on one loop: its state is replaced by reload, its sessions stay.
struct ListenerSlot {
  std::shared_ptr<const ListenerState> state;
  bool removed = false;  ///< no generation has it any more
  base::Counter* connections = nullptr;
  base::Counter* handshakes_done = nullptr;
  base::Counter* handshakes_failed = nullptr;
};

}  // namespace yett::proxy
