#include "proxy/route_table.h"

#include <algorithm>

#include "request/headers.h"
#include "target/host.h"
#include "target/segment_pattern.h"

namespace yett::proxy {

// Of the route with this name; of several, the one in the same place.
static const RateLimits* limitsBefore(const RouteTable* before, const std::string& name, size_t place) {
  if (before == nullptr) return nullptr;
  const auto& routes = before->routes();
  if (place < routes.size() && routes[place].name == name) return &routes[place].rate_limits;
  const auto at = std::find_if(routes.begin(), routes.end(), [&](const Route& route) { return route.name == name; });
  return at == routes.end() ? nullptr : &at->rate_limits;
}

Result<RouteTable> RouteTable::create(const std::vector<RouteConfig>& routes, const RouteTable* before) {
  RouteTable out;
  for (const auto& config : routes) {
    auto path = target::SegmentPattern::parsePath(config.path);
    if (!path) return std::move(path).error().within("route `" + config.path + "`");
    Route route;
    route.name = config.path;
    route.path = std::move(path).value();
    route.methods = config.methods;
    route.headers = config.headers;
    route.cluster = config.cluster;
    route.clusters = config.clusters;
    route.split_by = config.split_by;
    route.response_timeout = config.response_timeout;
    route.allow_encoded_slashes = config.allow_encoded_slashes;
    route.forward_trailers = config.forward_trailers;
    route.buffer_body = config.buffer_body;
    route.forward_parameters = config.forward_parameters;
    route.websocket = config.websocket;
    route.idle_timeout = config.idle_timeout;
    route.exact_names = config.exact_names;
    route.json_types = config.json_types;
    route.jwt = config.jwt;
    route.retry = config.retry;
    route.rate_limits = makeRateLimits(config.rate_limits, limitsBefore(before, route.name, out.routes_.size()));
    out.reads_tokens_ = out.reads_tokens_ || !route.jwt.empty();
    for (const auto& method : route.methods) {
      const bool upper = std::none_of(method.begin(), method.end(), [](char c) { return c >= 'a' && c <= 'z'; });
      if (!upper)
        return Error{"route `" + config.path + "`: method `" + method + "` never matches: write it in upper case"};
    }
    for (const auto& host : config.hosts) route.hosts.push_back(TRY(target::HostPattern::parse(host)));
    out.reads_bodies_ = out.reads_bodies_ || route.buffer_body > 0;
    out.routes_.push_back(std::move(route));
  }
  return out;
}

bool RouteTable::allowsWebSocket() const {
  return std::any_of(routes_.begin(), routes_.end(), [](const Route& route) { return route.websocket; });
}

// `fold`: also if some services would take the request for one of the route: case of the path, and HEAD for GET.
static bool fits(const Route& route, const http::RequestHead& head, const RouteTable::Owned& owned, bool fold) {
  const bool method =
      route.methods.empty() || std::any_of(route.methods.begin(), route.methods.end(), [&](const auto& one) {
        return one == head.method || (fold && one == "GET" && head.method == "HEAD");
      });
  const bool host = route.hosts.empty() || std::any_of(route.hosts.begin(), route.hosts.end(),
                                                       [&](const auto& h) { return h.matches(head.host); });
  const bool headers = std::all_of(route.headers.begin(), route.headers.end(), [&](const auto& wanted) {
    std::string_view value;
    return head.headers.find(wanted.first, value) == 1 && value == wanted.second &&
           !request::isNamed(wanted.first, owned.by_policy) && !request::isNamed(wanted.first, owned.by_tokens) &&
           !request::isListedInConnection(head.headers, wanted.first);
  });
  return method && host && headers && route.path.matches(head.target.path, fold, fold);
}

const Route* RouteTable::match(const http::RequestHead& head, const Owned& owned) const {
  for (const auto& route : routes_) {
    if (fits(route, head, owned, false)) return &route;
  }
  return nullptr;
}

void RouteTable::tokensFor(const http::RequestHead& head, const Route* matched, const Owned& owned, Tokens& out) const {
  out.clear();
  if (!reads_tokens_ || matched == nullptr) return;
  for (const auto& route : routes_) {
    if (!route.jwt.empty() && (&route == matched || fits(route, head, owned, true))) {
      for (const auto& asked : route.jwt) {
        const auto known =
            std::find_if(out.begin(), out.end(), [&](const auto& one) { return one.first == asked.first; });
        if (known == out.end()) out.emplace_back(asked.first, asked.second);
        else known->second = known->second || asked.second;
      }
    }
    if (&route == matched) break;
  }
}

const Route* RouteTable::bodyRoute(const http::RequestHead& head, const Route* matched, const Owned& owned) const {
  if (!reads_bodies_ || matched == nullptr || matched->buffer_body > 0) return matched;
  for (const auto& route : routes_) {
    if (&route == matched) break;
    if (route.buffer_body > 0 && fits(route, head, owned, true)) return &route;
  }
  return matched;
}

}  // namespace yett::proxy
