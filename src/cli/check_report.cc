#include "cli/check_report.h"

#include <algorithm>
#include <filesystem>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "config/config.h"
#include "net/tls_context.h"
#include "policy/policy_set.h"
#include "policy/token.h"
#include "proxy/listener_config.h"
#include "upstream/cluster.h"

namespace yett::cli {
namespace {

// Rows of a name and its description, with the names of one block aligned.
class Block {
 public:
  void add(std::string name, std::string what) { rows_.emplace_back(std::move(name), std::move(what)); }
  std::string text(const std::string& title) const {
    size_t width = 0;
    for (const auto& [name, what] : rows_) width = std::max(width, name.size());
    std::string out = rows_.empty() ? "" : title + "\n";
    for (const auto& [name, what] : rows_) out += "  " + name + std::string(width - name.size() + 2, ' ') + what + "\n";
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

const char* nameOf(proxy::Protocol protocol) {
  return protocol == proxy::Protocol::kHttp1   ? "HTTP/1.1"
         : protocol == proxy::Protocol::kHttp2 ? "HTTP/2"
                                               : "HTTP/1.1 and HTTP/2";
}

const char* nameOf(upstream::Protocol protocol) {
  return protocol == upstream::Protocol::kHttp1   ? "HTTP/1.1"
         : protocol == upstream::Protocol::kHttp2 ? "HTTP/2"
                                                  : "HTTP/1.1 or HTTP/2, as the caller";
}

std::string securityOf(const proxy::ListenerConfig& listener) {
  if (listener.plaintext) return "plaintext: every caller is anonymous";
  if (listener.client_certificate == net::ClientCertificate::kRequired) return "mutual TLS";
  if (listener.client_certificate == net::ClientCertificate::kOptional) return "TLS, client certificate optional";
  return "TLS without client certificates: every caller is anonymous";
}

std::string routeText(const proxy::RouteConfig& route) {
  std::string out = route.path;
  if (!route.hosts.empty()) out += " on " + base::joined(route.hosts, ", ");
  if (!route.methods.empty()) out += " by " + base::joined(route.methods, ", ");
  for (const auto& [name, value] : route.headers) out += " with " + name + ": " + value;
  return out;
}

std::vector<std::string> addressesOf(const upstream::ClusterConfig& cluster) {
  std::vector<std::string> out;
  for (const auto& endpoint : cluster.endpoints) out.push_back(endpoint.address);
  return out;
}

std::string protocolText(const upstream::ClusterConfig& cluster) {
  const upstream::TlsConfig& tls = cluster.tls;
  if (!tls.on) return nameOf(cluster.protocol);
  const bool any = cluster.protocol == upstream::Protocol::kAuto;
  return (any ? std::string("HTTP/1.1 or HTTP/2 by ALPN") : nameOf(cluster.protocol)) + ", TLS to " +
         (tls.peers.empty() ? tls.peer_name : base::joined(tls.peers, " or "));
}

std::string clustersText(const proxy::RouteConfig& route) {
  if (route.clusters.empty()) return route.cluster;
  std::vector<std::string> out;
  for (const auto& [name, weight] : route.clusters) out.push_back(name + " " + std::to_string(weight));
  return base::joined(out, ", ");
}

// ", with a token of corp"; "" if the route asks for none.
std::string tokensText(const proxy::RouteConfig& route) {
  std::string out;
  for (const auto& [provider, required] : route.jwt) {
    out += (out.empty() ? ", with " : " and ") + std::string(required ? "a " : "perhaps a ");
    out += provider == policy::kSvidProvider ? "JWT-SVID" : "token of " + provider;
  }
  return out;
}

std::string listenersOf(const config::Config& config) {
  std::string out = "listeners\n";
  for (const auto& listener : config.listeners) {
    out += "  " + listener.name + "  " + listener.address + ", " + securityOf(listener) + ", " +
           nameOf(listener.protocol) + "\n";
    Block routes;
    for (const auto& route : listener.routes)
      routes.add("  " + routeText(route), "-> " + clustersText(route) + tokensText(route));
    std::string lines = routes.text("");
    out += lines.substr(std::min<size_t>(1, lines.size()));
  }
  return out;
}

std::string policyOf(const policy::PolicySet& set, const config::Config& config) {
  Block out;
  for (const auto& engine : set.engines()) {
    size_t allows = 0;
    size_t denies = 0;
    for (const auto& rule : engine.rules->rules()) ++(std::string_view(rule.effect) == "deny" ? denies : allows);
    const auto at = std::find_if(config.engines.begin(), config.engines.end(),
                                 [&](const auto& e) { return e.name == engine.name; });
    const std::string where = at == config.engines.end() ? "" : at->type + " " + fromHere(at->path) + ": ";
    out.add(engine.name, where + std::to_string(allows) + " allow, " + std::to_string(denies) + " deny" +
                             (engine.veto ? ", veto only" : ""));
  }
  return out.text("policy");
}

}  // namespace

std::string fromHere(const std::string& path) {
  std::error_code error;
  const auto here = std::filesystem::current_path(error);
  if (error) return path;
  const std::string relative = std::filesystem::path(path).lexically_relative(here).string();
  return relative.empty() || relative.starts_with("../") || relative == ".." || path.empty() || path[0] != '/'
             ? path
             : relative;
}

Finding findingOf(const std::string& message) {
  Finding out{"", 0, message};
  std::string_view text = message;
  if (text.starts_with("policy ")) text.remove_prefix(7);
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || text.substr(0, colon).find_first_of(" `") != std::string_view::npos)
    return out;
  const auto next = text.find(':', colon + 1);
  uint64_t line = 0;
  if (next != std::string_view::npos && base::parseUnsigned(text.substr(colon + 1, next - colon - 1), line)) {
    out.file = fromHere(std::string(text.substr(0, colon)));
    out.line = static_cast<int>(line);
    out.text = base::trimmed(text.substr(next + 1));
  } else if (text.substr(0, colon).find_first_of("/.") != std::string_view::npos) {
    out.file = fromHere(std::string(text.substr(0, colon)));
    out.text = base::trimmed(text.substr(colon + 1));
  }
  return out;
}

std::string treeOf(const runtime::Generation& generation, const runtime::Preflight& preflight) {
  const auto& config = generation.config;
  Block head;
  if (!preflight.certificate.empty()) head.add("certificate", preflight.certificate);
  if (!config.identity.workload_api.empty())
    head.add("certificate", "from unix://" + config.identity.workload_api + ", which `check` does not ask");
  std::vector<std::string> domains;
  for (const auto& [domain, bundle] : config.identity.trust_bundles) domains.push_back(domain);
  if (!domains.empty()) head.add("trusts", base::joined(domains, ", "));
  Block clusters;
  for (const auto& cluster : config.clusters)
    clusters.add(cluster.name, base::joined(addressesOf(cluster), ", ") + ", " + protocolText(cluster));
  Block rest;
  std::string audit = fromHere(config.audit.database) + ", " + (config.audit.strict ? "strict" : "batched");
  audit += config.audit.key_file.empty() ? ", not signed" : ", signed";
  for (const auto& sink : config.sinks) audit += ", sink " + sink.name + " (" + sink.type + ")";
  rest.add("audit", audit);
  if (!config.admin.address.empty()) rest.add("admin", config.admin.address);
  if (!config.admin.socket.empty()) rest.add("admin", "unix://" + fromHere(config.admin.socket));
  rest.add("access log", fromHere(config.access_log));
  const std::string out = head.text("identity") + listenersOf(config) + clusters.text("clusters") +
                          policyOf(*generation.policy, config) + rest.text("other");
  std::string shown;
  for (const auto line : base::split(out, '\n')) shown += base::forTerminal(line) + "\n";
  shown.pop_back();
  return shown;
}

namespace {

std::string listJson(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const auto& text : texts) {
    if (out.size() > 1) out += ',';
    json::appendQuoted(out, text);
  }
  return out + "]";
}

// Calls `write` with a writer for each item.
template <typename List, typename Write>
std::string objectsJson(const List& list, Write write) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1) out += ',';
    json::ObjectWriter writer(out);
    write(writer, item);
    writer.end();
  }
  return out + "]";
}

}  // namespace

std::string treeJson(const runtime::Generation& generation, const runtime::Preflight& preflight) {
  const auto& config = generation.config;
  std::string out;
  json::ObjectWriter w(out);
  if (!preflight.certificate.empty()) w.field("certificate", preflight.certificate);
  w.raw("listeners", objectsJson(config.listeners, [](json::ObjectWriter& to, const auto& listener) {
          to.field("name", listener.name).field("address", listener.address).field("security", securityOf(listener));
          to.raw("routes", objectsJson(listener.routes, [](json::ObjectWriter& in, const auto& route) {
                   in.field("path", route.path).raw("hosts", listJson(route.hosts));
                   in.raw("methods", listJson(route.methods)).field("cluster", clustersText(route));
                 }));
        }));
  w.raw("clusters", objectsJson(config.clusters, [](json::ObjectWriter& to, const auto& cluster) {
          to.field("name", cluster.name).raw("endpoints", listJson(addressesOf(cluster)));
          to.field("protocol", nameOf(cluster.protocol));
        }));
  w.raw("engines", objectsJson(generation.policy->engines(), [&](json::ObjectWriter& to, const auto& engine) {
          const auto rules = engine.rules->rules();
          const auto denies = std::count_if(rules.begin(), rules.end(),
                                            [](const auto& rule) { return std::string_view(rule.effect) == "deny"; });
          to.field("name", engine.name).field("type", engine.rules->type());
          to.field("allow", static_cast<int64_t>(rules.size()) - denies).field("deny", static_cast<int64_t>(denies));
        }));
  std::string audit;
  json::ObjectWriter log(audit);
  log.field("database", fromHere(config.audit.database)).flag("strict", config.audit.strict);
  log.flag("signed", !config.audit.key_file.empty());
  log.raw("sinks", objectsJson(config.sinks, [](json::ObjectWriter& to, const auto& sink) {
            to.field("name", sink.name).field("type", sink.type);
          }));
  log.end();
  w.raw("audit", audit);
  w.field("admin_address", config.admin.address);
  w.field("admin_socket", fromHere(config.admin.socket)).field("access_log", fromHere(config.access_log));
  w.end();
  return out;
}

std::string findingsJson(bool ok, const std::vector<std::string>& problems, const std::vector<std::string>& warnings,
                         const std::string& digest, const std::string& serves) {
  const auto list = [](const std::vector<std::string>& texts) {
    std::string out = "[";
    for (const auto& text : texts) {
      if (out.size() > 1) out += ',';
      const Finding found = findingOf(text);
      json::ObjectWriter item(out);
      if (!found.file.empty()) item.field("file", found.file);
      if (found.line > 0) item.field("line", found.line);
      item.field("message", found.text).end();
    }
    return out + "]";
  };
  std::string out;
  json::ObjectWriter writer(out);
  writer.flag("ok", ok).raw("problems", list(problems)).raw("warnings", list(warnings));
  if (!digest.empty()) writer.field("policy", digest);
  if (!serves.empty()) writer.raw("serves", serves);
  writer.end();
  return out + "\n";
}

}  // namespace yett::cli
