// What people should know about a cluster.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace yett::upstream {

struct Cluster;

enum class Notice : uint8_t {
  kEjected,    ///< an endpoint failed too often and gets no requests for a while
  kReturned,   ///< it answers again
  kUnhealthy,  ///< an endpoint failed its health checks
  kHealthy,    ///< it passes them again
  kUntrusted,  ///< an endpoint is not who it should be
  kPanic,      ///< too few endpoints are healthy: all are used
  kPanicOver,
  kUnresolved,  ///< a name cannot be resolved: its addresses so far stay
  kResolved,    ///< it can again
};

/// `endpoint`: also the name of kUnresolved and kResolved; "" of a whole cluster. `why`: for people.
using Told =
    std::function<void(const Cluster& cluster, Notice notice, const std::string& endpoint, const std::string& why)>;

}  // namespace yett::upstream
