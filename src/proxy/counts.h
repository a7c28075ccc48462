// Counters of requests by response status, looked up without a lock.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "proxy/cause.h"

namespace yett::proxy {

/// For one loop; its thread only.
class Counts {
 public:
  explicit Counts(base::Metrics& metrics) : metrics_(metrics) {}
  void request(const std::string& listener, std::string_view route, int status);
  /// An exchange that ended without the complete response of its service.
  void cause(Cause cause);

 private:
  base::Metrics& metrics_;
  std::map<std::string, base::Counter*, std::less<>> requests_;
  std::array<base::Counter*, kCauses> causes_{};
  std::string key_;  // of request()
};

}  // namespace yett::proxy
