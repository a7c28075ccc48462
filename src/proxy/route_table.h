// Chooses the cluster of a request: the first matching route, in the order of the configuration. Immutable.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "http/head.h"
#include "proxy/listener_config.h"
#include "target/host.h"
#include "target/segment_pattern.h"
#include "upstream/balance.h"

namespace yett::proxy {

struct Route {
  std::string name;  ///< its path pattern, as in records and metrics
  target::SegmentPattern path;
  std::vector<target::HostPattern> hosts;
  std::vector<std::string> methods;
  std::map<std::string, std::string> headers;
  std::string cluster;
  std::vector<std::pair<std::string, uint32_t>> clusters;
  upstream::HashKey split_by;
  base::Millis response_timeout{0};
  bool allow_encoded_slashes = false;
  bool forward_trailers = false;
  uint64_t buffer_body = 0;
  RetryConfig retry;
  RateLimits rate_limits;
  std::map<std::string, bool> jwt;
  bool forward_parameters = false;
  bool websocket = false;
  bool exact_names = false;
  std::vector<std::string> json_types;
  base::Millis idle_timeout{0};
};

class RouteTable {
 public:
  /// `before`: the table so far, whose rate limits go on where a route of the same name has the same; may be null.
  static Result<RouteTable> create(const std::vector<RouteConfig>& routes, const RouteTable* before = nullptr);
  /// Headers that only policy, and only tokens, may set: what a caller sends under these names matches no route.
  struct Owned {
    std::span<const std::string> by_policy;
    std::span<const std::string> by_tokens;
  };
  /// Null if none matches.
  const Route* match(const http::RequestHead& head, const Owned& owned) const;
  /// The route whose `buffer_body` applies to a request on `matched`: that route, or an earlier one that matches except
  /// for ASCII case. A deny that ignores case must not miss the body there.
  const Route* bodyRoute(const http::RequestHead& head, const Route* matched, const Owned& owned) const;
  /// The providers whose tokens a request on `matched` needs (true) or may have: those of that route, and of earlier
  /// ones that match except for ASCII case. Views of the table.
  using Tokens = std::vector<std::pair<std::string_view, bool>>;
  void tokensFor(const http::RequestHead& head, const Route* matched, const Owned& owned, Tokens& out) const;
  /// Whether any route allows WebSockets.
  bool allowsWebSocket() const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  bool reads_bodies_ = false;  // some of them
  bool reads_tokens_ = false;
};

}  // namespace yett::proxy
