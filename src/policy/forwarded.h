// What a trusted forwarder says of the callers in front of it, as policy reads it.
#pragma once

#include <string>
#include <vector>

namespace yett::policy {

struct Forwarded {
  /// The SPIFFE IDs of those in front of the forwarder, the nearest first, up to the first that is not a forwarder
  /// itself; `unknown` for one without exactly one SPIFFE ID.
  std::vector<std::string> via;
  std::string via_error;  ///< why x-forwarded-client-cert says nothing; "": it can be read
  std::string client_ip;  ///< the address that the last of the forwarders saw
  std::string ip_error;   ///< why x-forwarded-for does not say; "": it does
};

}  // namespace yett::policy
