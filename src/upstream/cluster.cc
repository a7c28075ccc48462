#include "upstream/cluster.h"

#include "net/listener.h"

namespace yett::upstream {

Result<std::shared_ptr<const Cluster>> Cluster::create(const ClusterConfig& config) {
  auto out = std::make_shared<Cluster>();
  out->config = config;
  out->load = std::make_shared<ClusterLoad>();
  out->budget = std::make_shared<RetryBudget>(config.retry_budget);
  for (size_t i = 0; i < config.endpoints.size(); ++i) {
    const std::string& text = config.endpoints[i];
    auto addresses = net::parseAddresses(text);
    if (!addresses) return std::move(addresses).error().within("cluster `" + config.name + "`");
    const uint32_t weight = i < config.weights.size() ? config.weights[i] : 1;
    for (const auto& address : addresses.value()) out->endpoints.push_back({text, address, weight});
  }
  return std::shared_ptr<const Cluster>(std::move(out));
}

}  // namespace yett::upstream
