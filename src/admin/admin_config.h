// Settings of the admin side.
#pragma once

#include <string>

namespace yett::admin {

struct AdminConfig {
  std::string address;  ///< host:port of the TCP side; "" for none
  std::string socket;   ///< path of the Unix socket; "" for none
  bool operator==(const AdminConfig&) const = default;
};

}  // namespace yett::admin
