// A service behind Yett: its endpoints and how to talk to them. Immutable; names are resolved when it is made, off the
// loops.
#pragma once

#include <Poco/Net/SocketAddress.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace yett::upstream {

struct ClusterConfig {
  std::string name;
  std::vector<std::string> endpoints;  ///< host:port, [v6]:port or unix:///path
  base::Millis connect_timeout{2000};
  base::Millis idle_timeout{30'000};  ///< a pooled connection is closed after this
  bool operator==(const ClusterConfig&) const = default;
};

struct Endpoint {
  std::string name;  ///< as configured
  Poco::Net::SocketAddress address;
};

struct Cluster {
  ClusterConfig config;
  std::vector<Endpoint> endpoints;
  /// Blocks on DNS: never on a loop.
  static Result<std::shared_ptr<const Cluster>> create(const ClusterConfig& config);
};

}  // namespace yett::upstream
