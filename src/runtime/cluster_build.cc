#include "runtime/cluster_build.h"

#include <memory>
#include <utility>

#include "net/tls_client.h"
#include "upstream/cluster.h"

namespace yett::runtime {
namespace {

const std::string& textOf(const std::map<std::string, std::string>& texts, const std::string& name) {
  static const std::string none;
  const auto it = texts.find(name);
  return it == texts.end() ? none : it->second;
}

net::TlsClient::Source tlsOf(const Generation& out, const upstream::ClusterConfig& config, const TlsInput& files) {
  const upstream::TlsConfig& tls = config.tls;
  return {.certificate_pem = tls.own_certificate ? files.certificate : "",
          .private_key_pem = tls.own_certificate ? files.key : "",
          .bundles = out.bundles,
          .peers = tls.peers,
          .peer_name = tls.peer_name,
          .ca_pem = textOf(out.authorities, config.name),
          .key_log = out.config.identity.unsafe_key_log};
}

}  // namespace

void buildClusters(Generation& out, const TlsInput& files, std::map<std::string, std::string> authorities,
                   const Previous& previous, config::Problems& problems) {
  out.authorities = std::move(authorities);
  out.clusters.clear();  // `out` may be a copy of the previous generation
  for (const auto& config : out.config.clusters) {
    const upstream::Cluster* before = nullptr;
    if (previous != nullptr) {
      const auto it = previous->clusters.find(config.name);
      if (it != previous->clusters.end()) before = it->second.get();
    }
    std::shared_ptr<const net::TlsClient> tls;
    if (config.tls.on) {
      const auto source = tlsOf(out, config, files);
      const bool same = before != nullptr && before->tls && before->tls->digest() == source.digest();
      auto made = same ? Result(before->tls) : net::TlsClient::create(source);
      if (!made) {
        problems.add("cluster `" + config.name + "`: tls: " + made.error().message);
        continue;
      }
      tls = std::move(made).value();
    }
    if (before != nullptr && before->config == config && before->tls == tls) {
      out.clusters.emplace(config.name, previous->clusters.at(config.name));
      continue;
    }
    auto cluster = upstream::Cluster::create(config, before, std::move(tls));
    if (cluster) out.clusters.emplace(config.name, std::move(cluster).value());
    else problems.add(cluster.error().message);
  }
}

}  // namespace yett::runtime
