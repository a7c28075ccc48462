// Active health checks: settings.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"

namespace yett::upstream {

struct HealthCheckConfig {
  enum class Kind : uint8_t {
    kNone,
    kHttp,  ///< GET of `path`: healthy if the status is 200 to 299
    kGrpc,  ///< grpc.health.v1.Health/Check of `service`: healthy if SERVING
    kTcp,   ///< healthy if a connection (with TLS, where the cluster has it) can be made
  };
  Kind kind = Kind::kNone;
  std::string path;
  std::string service;  ///< "": the whole server
  std::string host;     ///< of the request; "": the endpoint's
  base::Millis interval{5000};
  base::Millis timeout{1000};
  int64_t healthy_threshold = 2;    ///< successes in a row
  int64_t unhealthy_threshold = 3;  ///< failures in a row
  bool operator==(const HealthCheckConfig&) const = default;
};

}  // namespace yett::upstream
