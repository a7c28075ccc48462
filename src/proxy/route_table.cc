#include "proxy/route_table.h"

#include <algorithm>

namespace yett::proxy {

Result<RouteTable> RouteTable::create(const std::vector<RouteConfig>& routes) {
  RouteTable out;
  for (const auto& config : routes) {
    auto path = target::SegmentPattern::parsePath(config.path);
    if (!path) return std::move(path).error().within("route `" + config.path + "`");
    Route route{config.path,
                std::move(path).value(),
                {},
                config.methods,
                config.cluster,
                config.response_timeout,
                config.allow_encoded_slashes,
                config.forward_trailers,
                config.buffer_body,
                config.forward_parameters,
                config.websocket,
                config.idle_timeout};
    for (const auto& host : config.hosts) route.hosts.push_back(TRY(target::HostPattern::parse(host)));
    out.routes_.push_back(std::move(route));
  }
  return out;
}

bool RouteTable::allowsWebSocket() const {
  return std::any_of(routes_.begin(), routes_.end(), [](const Route& route) { return route.websocket; });
}

const Route* RouteTable::match(const http::RequestHead& head) const {
  for (const auto& route : routes_) {
    const bool method = route.methods.empty() ||
                        std::find(route.methods.begin(), route.methods.end(), head.method) != route.methods.end();
    const bool host = route.hosts.empty() || std::any_of(route.hosts.begin(), route.hosts.end(),
                                                         [&](const auto& h) { return h.matches(head.host); });
    if (method && host && route.path.matches(head.target.path)) return &route;
  }
  return nullptr;
}

}  // namespace yett::proxy
