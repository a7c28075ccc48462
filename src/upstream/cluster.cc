#include "upstream/cluster.h"

namespace yett::upstream {

Result<std::shared_ptr<const Cluster>> Cluster::create(const ClusterConfig& config, const Cluster* before,
                                                       std::shared_ptr<const net::TlsClient> tls) {
  auto out = std::make_shared<Cluster>();
  out->config = config;
  out->tls = std::move(tls);
  out->load = before != nullptr ? before->load : std::make_shared<ClusterLoad>();
  const bool same_budget = before != nullptr && before->config.retry_budget == config.retry_budget;
  out->budget = same_budget ? before->budget : std::make_shared<RetryBudget>(config.retry_budget);
  if (before != nullptr && before->config.endpoints == config.endpoints) {
    out->endpoints = before->endpoints;
    return std::shared_ptr<const Cluster>(std::move(out));
  }
  auto endpoints = EndpointSet::create(config.endpoints, before != nullptr ? before->endpoints.get() : nullptr);
  if (!endpoints) return std::move(endpoints).error().within("cluster `" + config.name + "`");
  out->endpoints = std::move(endpoints).value();
  return std::shared_ptr<const Cluster>(std::move(out));
}

bool sameConnections(const Cluster& a, const Cluster& b) {
  return a.tls == b.tls && a.config.tls == b.config.tls && a.config.protocol == b.config.protocol &&
         a.config.max_response_head == b.config.max_response_head &&
         a.config.max_response_fields == b.config.max_response_fields;
}

}  // namespace yett::upstream
