#include "upstream/cluster.h"

#include "net/listener.h"

namespace yett::upstream {

Result<std::shared_ptr<const Cluster>> Cluster::create(const ClusterConfig& config) {
  auto out = std::make_shared<Cluster>();
  out->config = config;
  for (const auto& text : config.endpoints) {
    auto address = net::parseAddress(text);
    if (!address) return std::move(address).error().within("cluster `" + config.name + "`");
    out->endpoints.push_back({text, address.value()});
  }
  return std::shared_ptr<const Cluster>(std::move(out));
}

}  // namespace yett::upstream
