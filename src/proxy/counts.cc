#include "proxy/counts.h"

namespace yett::proxy {

void Counts::request(const std::string& listener, std::string_view route, int status) {
  key_ = listener;
  key_ += ' ';
  key_ += route;
  key_ += static_cast<char>(status / 100);
  key_ += static_cast<char>(status % 100);
  auto it = requests_.find(key_);
  if (it == requests_.end()) {
    it = requests_.emplace(key_, &requests(listener, route, status)).first;
  }
  it->second->add();
}

base::Counter& Counts::counterOf(Cause cause) {
  base::Counter*& counter = causes_[static_cast<size_t>(cause)];
  if (counter == nullptr)
    counter = &metrics_.counter("yett_exchanges_ended_total", {{"cause", info(cause).label}},
                                "exchanges that ended without the complete response of the service, by cause");
  return *counter;
}

void Counts::cause(Cause cause) {
  counterOf(cause).add();
}

base::Counter& Counts::requests(const std::string& listener, std::string_view route, int status) {
  return metrics_.counter("yett_requests_total",
                          {{"listener", listener}, {"route", route}, {"code", std::to_string(status)}},
                          "requests by response status");
}

Counts::Upstream& Counts::upstreamOf(const std::string& cluster) {
  Upstream& out = upstreams_[cluster];
  if (out.requests != nullptr) return out;
  out.requests = &metrics_.counter("yett_upstream_requests_total", {{"cluster", cluster}},
                                   "requests that a connection to the service took");
  out.retries = &metrics_.counter("yett_upstream_retries_total", {{"cluster", cluster}},
                                  "requests that were tried again because the route's `retry` says so");
  out.ejections = &metrics_.counter("yett_upstream_ejections_total", {{"cluster", cluster}},
                                    "endpoints that got no requests for a while because they failed");
  out.returns =
      &metrics_.counter("yett_upstream_returns_total", {{"cluster", cluster}}, "endpoints that answered again");
  for (const Cause cause : kUpstreamFailures)
    out.failures[cause] =
        &metrics_.counter("yett_upstream_failures_total", {{"cluster", cluster}, {"cause", info(cause).label}},
                          "requests that failed at the service or on the way to it, by cause");
  return out;
}

void Counts::upstream(const std::string& cluster, Cause failure) {
  Upstream& counters = upstreamOf(cluster);
  if (failure != Cause::kNoUpstream && failure != Cause::kOverflow) counters.requests->add();
  if (failure == Cause::kNone) return;
  const auto it = counters.failures.find(failure);
  if (it != counters.failures.end()) it->second->add();
}

void Counts::endpoint(const std::string& cluster, upstream::Notice notice) {
  if (notice == upstream::Notice::kEjected) upstreamOf(cluster).ejections->add();
  if (notice == upstream::Notice::kReturned) upstreamOf(cluster).returns->add();
}

void Counts::retry(const std::string& cluster) {
  upstreamOf(cluster).retries->add();
}

void Counts::showCauses() {
  for (size_t i = static_cast<size_t>(Cause::kClientClosed); i < kCauses; ++i) counterOf(static_cast<Cause>(i));
}

void Counts::showRoute(const std::string& listener, const std::string& route) {
  for (const int status : {200, 403, 502, 503, 504}) requests(listener, route, status);
}

void Counts::showCluster(const std::string& cluster) {
  upstreamOf(cluster);
}

}  // namespace yett::proxy
