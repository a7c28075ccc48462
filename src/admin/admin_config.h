// Settings of the admin side.
#pragma once

#include <sys/types.h>

#include <string>

namespace yett::admin {

struct AdminConfig {
  std::string address;  ///< host:port of the TCP side; "" for none
  std::string socket;   ///< path of the Unix socket; "" for none
  mode_t socket_mode = 0600;
  bool operator==(const AdminConfig&) const = default;
};

}  // namespace yett::admin
