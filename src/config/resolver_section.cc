#include "base/text.h"
#include "config/sections.h"
#include "upstream/resolver.h"

namespace yett::config {

void readResolver(ObjectReader& in, upstream::ResolverConfig& out) {
  std::vector<std::string> servers;
  in.texts("servers", servers);
  for (const auto& server : servers) {
    auto address = upstream::serverAddress(server);
    if (address) out.servers.push_back(std::move(address).value());
    else in.problem("servers", address.error().message);
  }
  in.duration("min_ttl", out.min_ttl);
  in.duration("max_ttl", out.max_ttl);
  if (out.min_ttl > out.max_ttl) in.problem("min_ttl", "is longer than `max_ttl`");
}

}  // namespace yett::config
