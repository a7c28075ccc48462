// What a route says about trying a request again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"

namespace yett::proxy {

struct RetryConfig {
  int64_t num_retries = 0;           ///< in addition to the first attempt; 0: none
  bool connect = true;               ///< no connection: nothing was sent, so any method may be tried again
  bool reset = true;                 ///< the service ended the exchange before its answer
  std::vector<int> statuses = {};    ///< it answered one of these
  std::vector<std::string> methods;  ///< that may be tried again once they were sent; none: the idempotent ones
  base::Millis per_try_timeout{0};   ///< for the answer's head; 0: none. One that is over counts as 504
  bool operator==(const RetryConfig&) const = default;
};

}  // namespace yett::proxy
