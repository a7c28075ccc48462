// Counters of requests by response status, looked up without a lock.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "proxy/cause.h"
#include "upstream/notice.h"

namespace yett::proxy {

/// For one loop; its thread only.
class Counts {
 public:
  explicit Counts(base::Metrics& metrics) : metrics_(metrics) {}
  void request(const std::string& listener, std::string_view route, int status);
  /// An exchange that ended without the complete response of its service.
  void cause(Cause cause);
  /// A request that was sent to a service of this cluster, and why it failed there (kNone: it did not).
  void upstream(const std::string& cluster, Cause failure);
  /// Counts endpoints of this cluster that were ejected or answer again; ignores other notices.
  void endpoint(const std::string& cluster, upstream::Notice notice);
  /// A request to this cluster is tried again.
  void retry(const std::string& cluster);

  /// Makes series before anything is counted.
  void showCauses();
  void showRoute(const std::string& listener, const std::string& route);
  void showCluster(const std::string& cluster);

 private:
  struct Upstream {
    base::Counter* requests = nullptr;
    base::Counter* retries = nullptr;
    base::Counter* ejections = nullptr;
    base::Counter* returns = nullptr;
    std::map<Cause, base::Counter*> failures;
  };
  base::Counter& counterOf(Cause cause);
  base::Counter& requests(const std::string& listener, std::string_view route, int status);
  Upstream& upstreamOf(const std::string& cluster);
  base::Metrics& metrics_;
  std::map<std::string, base::Counter*, std::less<>> requests_;
  std::map<std::string, Upstream> upstreams_;
  std::array<base::Counter*, kCauses> causes_{};
  std::string key_;  // of request()
};

}  // namespace yett::proxy
