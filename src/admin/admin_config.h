// Settings of the admin interface.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/units.h"

namespace yett::admin {

struct AdminConfig {
  std::string address;  ///< host:port of the TCP listener; "" for none
  std::string socket;   ///< path of the Unix socket; "" for none
  mode_t socket_mode = 0600;
  base::Millis liveness_stall{30'000};  ///< /healthz fails once an event loop has been blocked this long
  bool operator==(const AdminConfig&) const = default;
};

}  // namespace yett::admin
