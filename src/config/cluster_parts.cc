#include "config/cluster_parts.h"

#include <algorithm>
#include <set>

#include "base/file.h"
#include "base/text.h"
#include "config/address.h"
#include "identity/spiffe_id.h"

namespace yett::config {
namespace {

constexpr int64_t kMostWeight = 1000;

// What comes after "srv:": a DNS name, such as "_http._tcp.orders.shop.svc".
std::string whyNotService(const std::string& name) {
  const bool plain = !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
  if (plain) return "";
  return "`srv:" + base::printable(name) + "`: write the name of the SRV records, such as `srv:_http._tcp.orders`" +
         (name.find(':') != std::string::npos ? "; the records have the port" : "");
}

std::string whyNotEndpoint(const std::string& address) {
  if (address.starts_with("srv:")) return whyNotService(address.substr(4));
  if (!address.starts_with("dns:")) return whyNotAddress(address, true);
  return whyNotAddress(address.substr(4), true);
}

void takeAddress(ObjectReader& in, std::string_view key, const std::string& address, upstream::ClusterConfig& out) {
  if (const std::string why = whyNotEndpoint(address); !why.empty()) in.problem(key, why);
  out.endpoints.push_back({address});
}

void readHost(ObjectReader& in, upstream::HealthCheckConfig& out) {
  in.text("host", out.host);
  for (const unsigned char c : out.host) {
    if (c <= ' ' || c >= 127 || c == '/' || c == '@') return in.problem("host", "is not a host, or host:port");
  }
}

}  // namespace

void readEndpoints(ObjectReader& in, upstream::ClusterConfig& out) {
  in.textsOrObjects(
      "endpoints", [&](const std::string& address) { takeAddress(in, "endpoints", address, out); },
      [&](ObjectReader& endpoint) {
        std::string address;
        int64_t weight = 1;
        endpoint.requiredText("address", address);
        if (address.empty()) out.endpoints.emplace_back();  // has been reported
        else takeAddress(endpoint, "address", address, out);
        endpoint.number("weight", 1, kMostWeight, weight);
        out.endpoints.back().weight = static_cast<uint32_t>(weight);
        endpoint.text("zone", out.endpoints.back().zone);
      });
  if (out.endpoints.empty()) in.problem("", "`endpoints` is missing or empty");
  std::set<std::string> seen;
  for (const auto& endpoint : out.endpoints) {
    if (!endpoint.address.empty() && !seen.insert(endpoint.address).second)
      in.problem("endpoints", "`" + base::printable(endpoint.address) + "` appears twice: give it a `weight`");
  }
}

void readClusterTls(ObjectReader& in, const std::string& file, upstream::ClusterConfig& out) {
  in.object("tls", [&](ObjectReader& tls) {
    upstream::TlsConfig& config = out.tls;
    config.on = true;
    tls.textOrTexts("peer", config.peers);
    tls.text("peer_name", config.peer_name);
    tls.text("ca", config.ca);
    tls.text("sni", config.sni);
    tls.flag("own_certificate", config.own_certificate);
    if (!config.ca.empty()) config.ca = base::relativeTo(file, config.ca);
    if (config.peers.empty() == config.peer_name.empty())
      tls.problem("",
                  "say whom to accept: either `peer` (a SPIFFE ID, or `spiffe://example.org` for all of a trust "
                  "domain) or `peer_name` (a DNS name)");
    for (const auto& peer : config.peers) {
      if (const auto id = identity::SpiffeId::parse(peer); !id) tls.problem("peer", id.error().message);
    }
    if (!config.ca.empty() && config.peer_name.empty())
      tls.problem("ca", "is for `peer_name`: `peer` is verified with `/identity/trust_bundles`");
    for (const auto& [key, name] : {std::pair("peer_name", config.peer_name), std::pair("sni", config.sni)}) {
      if (!name.empty() && !whyNotAddress(name + ":1", true).empty())
        tls.problem(key, "`" + base::printable(name) + "` is not a DNS name");
      const bool address = !name.empty() && name.find_first_not_of("0123456789.") == std::string::npos;
      if (address && key == std::string_view("sni")) tls.problem(key, "is an address, which a server name cannot be");
    }
  });
}

void readHealthCheck(ObjectReader& in, upstream::ClusterConfig& out) {
  in.object("health_check", [&](ObjectReader& check) {
    using Kind = upstream::HealthCheckConfig::Kind;
    upstream::HealthCheckConfig& config = out.health;
    bool tcp = false;
    check.text("path", config.path);
    bool whole = false;
    check.textOrFlag("grpc", config.service, whole);
    check.flag("tcp", tcp);
    const int kinds = (check.has("path") ? 1 : 0) + (whole || !config.service.empty() ? 1 : 0) + (tcp ? 1 : 0);
    if (kinds != 1)
      check.problem("",
                    "say how to check: one of `path` (GET), `grpc` (the service's name, or true) and `\"tcp\": true`");
    config.kind = whole || !config.service.empty() ? Kind::kGrpc : tcp ? Kind::kTcp : Kind::kHttp;
    if (config.kind == Kind::kHttp && !config.path.starts_with('/')) check.problem("path", "must begin with `/`");
    for (const unsigned char c : config.path) {
      if (c <= ' ' || c >= 127 || c == '#') {
        check.problem("path", "is not a path: it has a space, a `#` or another character that a path cannot have");
        break;
      }
    }
    if (config.kind == Kind::kGrpc && out.protocol == upstream::Protocol::kHttp1)
      check.problem("grpc", "needs `\"protocol\": \"http2\"` or `\"auto\"` of the cluster");
    readHost(check, config);
    check.duration("interval", config.interval);
    check.duration("timeout", config.timeout);
    check.number("healthy_threshold", 1, 1000, config.healthy_threshold);
    check.number("unhealthy_threshold", 1, 1000, config.unhealthy_threshold);
    if (config.interval < base::Millis(100)) check.problem("interval", "must be at least 100ms");
  });
}

}  // namespace yett::config
