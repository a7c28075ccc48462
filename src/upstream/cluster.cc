#include "upstream/cluster.h"

#include "net/listener.h"

namespace yett::upstream {

Result<std::shared_ptr<const Cluster>> Cluster::create(const ClusterConfig& config) {
  auto out = std::make_shared<Cluster>();
  out->config = config;
  for (const auto& text : config.endpoints) {
    auto addresses = net::parseAddresses(text);
    if (!addresses) return std::move(addresses).error().within("cluster `" + config.name + "`");
    for (const auto& address : addresses.value()) out->endpoints.push_back({text, address});
  }
  return std::shared_ptr<const Cluster>(std::move(out));
}

}  // namespace yett::upstream
