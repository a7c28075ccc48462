#include "app/cluster_report.h"

#include <functional>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "upstream/cluster.h"

namespace yett::app {
namespace {

bool ejected(const upstream::EndpointHealth& health) {
  return health.ejected_until > base::steadyNanos() / 1'000'000;
}

std::string endpointJson(const upstream::Endpoint& endpoint) {
  const auto& health = *endpoint.health;
  std::string out;
  json::ObjectWriter to(out);
  to.field("name", endpoint.name).field("weight", int64_t{endpoint.weight});
  if (!endpoint.zone.empty()) to.field("zone", endpoint.zone);
  to.flag("healthy", health.healthy)
      .flag("ejected", ejected(health))
      .field("connections", health.connections.load())
      .field("requests", health.requests.load())
      .field("failures", health.failures.load())
      .field("latency_micros", health.latency_micros.load())
      .end();
  return out;
}

std::string clusterJson(const upstream::Cluster& cluster) {
  std::string endpoints;
  const auto now = cluster.endpoints->now();  // keeps them while they are read
  for (const auto& endpoint : *now) endpoints += (endpoints.empty() ? "" : ",") + endpointJson(*endpoint);
  const auto& limits = cluster.config.breakers;
  std::string out;
  json::ObjectWriter to(out);
  to.field("name", cluster.config.name)
      .flag("tls", cluster.tls != nullptr)
      .field("connections", cluster.load->connections.load())
      .field("max_connections", limits.max_connections)
      .field("pending", cluster.load->pending.load())
      .field("max_pending_requests", limits.max_pending_requests)
      .field("requests", cluster.load->requests.load())
      .field("max_requests", limits.max_requests);
  if (const std::string problem = cluster.endpoints->problem(); !problem.empty()) to.field("problem", problem);
  to.raw("endpoints", "[" + endpoints + "]").end();
  return out;
}

struct Health {
  int64_t all = 0;
  int64_t usable = 0;
};

Health healthOf(const upstream::Cluster& cluster) {
  Health out;
  const auto now = cluster.endpoints->now();
  for (const auto& endpoint : *now) {
    ++out.all;
    out.usable += endpoint->health->healthy && !ejected(*endpoint->health) ? 1 : 0;
  }
  return out;
}

std::string family(const runtime::Clusters& clusters, const std::string& name, const std::string& help,
                   const std::function<int64_t(const upstream::Cluster&)>& value) {
  std::string out = "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n";
  for (const auto& [cluster, it] : clusters)
    out += name + base::labelText({{"cluster", cluster}}) + " " + std::to_string(value(*it)) + "\n";
  return out;
}

}  // namespace

std::string clustersJson(const runtime::Clusters& clusters) {
  std::string all;
  for (const auto& [name, cluster] : clusters) all += (all.empty() ? "" : ",") + clusterJson(*cluster);
  return "{\"clusters\":[" + all + "]}\n";
}

std::string clusterGauges(const runtime::Clusters& clusters) {
  if (clusters.empty()) return "";
  using upstream::Cluster;
  return family(clusters, "yett_upstream_connections", "connections to the cluster, idle ones included",
                [](const Cluster& cluster) { return cluster.load->connections.load(); }) +
         family(clusters, "yett_upstream_active_requests", "requests in flight to the cluster",
                [](const Cluster& cluster) { return cluster.load->requests.load(); }) +
         family(clusters, "yett_upstream_pending_requests", "requests that wait for a connection",
                [](const Cluster& cluster) { return cluster.load->pending.load(); }) +
         family(clusters, "yett_upstream_endpoints", "endpoints of the cluster",
                [](const Cluster& cluster) { return healthOf(cluster).all; }) +
         family(clusters, "yett_upstream_healthy_endpoints", "endpoints that are neither ejected nor unhealthy",
                [](const Cluster& cluster) { return healthOf(cluster).usable; });
}

}  // namespace yett::app
