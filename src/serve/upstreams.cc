#include "serve/upstreams.h"

#include <utility>

#include "http/limits.h"
#include "net/event_loop.h"
#include "net/listener.h"

namespace yett::serve {
namespace {

// Limits for data from a service. Many callers share one HTTP/2 connection to it, so each may hold only little in
// memory.
http::Limits upstreamLimits() {
  http::Limits limits;
  limits.stream_window = 64 << 10;
  return limits;
}

}  // namespace

Upstreams::Upstreams(net::EventLoop& loop, net::Gate& descriptors, Told told)
    : pools_(loop, upstreamLimits(), descriptors, std::move(told)) {}

upstream::Pool* Upstreams::pool(const authz::Permit& permit, const std::string& cluster) {
  return permit.good() ? pools_.find(cluster) : nullptr;
}

}  // namespace yett::serve
