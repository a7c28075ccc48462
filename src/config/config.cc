#include "config/config.h"

#include <algorithm>
#include <filesystem>
#include <regex>

#include "base/file.h"
#include "base/text.h"
#include "config/sections.h"
#include "identity/spiffe_id.h"
#include "target/path_profile.h"

namespace yett::config {

// An octal file mode such as "0660".
void readMode(ObjectReader& in, const char* name, mode_t& out) {
  std::string text;
  in.text(name, text);
  if (text.empty()) return;
  if (text.size() > 4 || text.find_first_not_of("01234567") != std::string::npos || std::stoul(text, nullptr, 8) > 0777)
    return in.problem(name, "is `" + text + "`, must be a mode such as \"0600\" or \"0660\"");
  out = static_cast<mode_t>(std::stoul(text, nullptr, 8));
}

namespace {

// A route names a cluster that exists.
void checkClusters(const json::Value& value, const Config& config, Problems& problems) {
  std::vector<std::string_view> names;
  for (const auto& cluster : config.clusters) names.push_back(cluster.name);
  const auto* listeners = value.find("listeners");
  for (size_t l = 0; listeners != nullptr && l < listeners->items.size(); ++l) {
    const auto* routes = listeners->items[l].find("routes");
    for (size_t r = 0; routes != nullptr && r < routes->items.size(); ++r) {
      const auto* cluster = routes->items[r].find("cluster");
      const auto* split = routes->items[r].find("clusters");
      for (const auto& [name, weight] : split != nullptr ? split->fields : decltype(split->fields)()) {
        if (std::find(names.begin(), names.end(), name) != names.end()) continue;
        problems.add(weight.line, "/listeners/" + std::to_string(l) + "/routes/" + std::to_string(r) + "/clusters",
                     "`" + base::printable(name) + "` is not the name of a cluster" + base::didYouMean(name, names));
      }
      if (cluster == nullptr || cluster->text.empty()) continue;
      if (std::find(names.begin(), names.end(), cluster->text) != names.end()) continue;
      problems.add(cluster->line, "/listeners/" + std::to_string(l) + "/routes/" + std::to_string(r) + "/cluster",
                   "`" + base::printable(cluster->text) + "` is not the name of a cluster" +
                       base::didYouMean(cluster->text, names));
    }
  }
}

// A service can be verified only with the bundle of its trust domain.
void checkPeers(ObjectReader& root, const Config& config) {
  for (const auto& cluster : config.clusters) {
    for (const auto& peer : cluster.tls.peers) {
      const auto id = identity::SpiffeId::parse(peer);
      if (!id || !config.identity.workload_api.empty()) continue;
      const std::string domain(id.value().trustDomain());
      if (!config.identity.trust_bundles.contains(domain))
        root.problem("clusters", "`tls.peer` of `" + base::printable(cluster.name) + "` needs the bundle of " + domain +
                                     " in `/identity/trust_bundles`");
    }
  }
}

// Rules are checked against how the service reads paths: all clusters of a route must read them alike.
void checkProfiles(ObjectReader& root, const Config& config) {
  const auto profile = [&](const std::string& name) {
    const auto it = std::find_if(config.clusters.begin(), config.clusters.end(),
                                 [&](const auto& cluster) { return cluster.name == name; });
    return it == config.clusters.end() ? target::PathProfile::kStrict : it->path_profile;
  };
  for (const auto& listener : config.listeners) {
    for (const auto& route : listener.routes) {
      for (const auto& [name, weight] : route.clusters) {
        if (profile(name) != profile(route.cluster))
          root.problem("listeners",
                       "route `" + base::printable(route.path) + "`: its `clusters` differ in `path_profile`");
      }
    }
  }
}

// Reports `${NAME}`: Yett would take it literally, which nobody wants.
void findVariables(const json::Value& value, const std::string& pointer, Problems& problems) {
  static const std::regex variable(R"(\$\{?[A-Za-z_][A-Za-z0-9_]*|\{\{)");
  if (std::regex_search(value.text, variable))
    problems.add(value.line, pointer,
                 "holds a variable (`$NAME`, `${NAME}` or `{{`): variables are not replaced in this file, write the "
                 "value itself");
  for (const auto& [name, field] : value.fields) {
    if (name != "settings") findVariables(field, pointer + "/" + name, problems);  // other programs' own, passwords too
  }
  for (size_t i = 0; i < value.items.size(); ++i)
    findVariables(value.items[i], pointer + "/" + std::to_string(i), problems);
}

void readOwners(ObjectReader& root, Config& out) {
  std::vector<int64_t> owners;
  root.numbers("trusted_owners", 0, UINT32_MAX - 1, owners);
  for (const int64_t owner : owners) out.trusted_owners.push_back(static_cast<uid_t>(owner));
  out.audit.trusted_owners = out.cache.trusted_owners = out.trusted_owners;
}

// What bundle endpoints have answered is kept beside the audit log.
void keepBundles(Config& out) {
  const auto folder = std::filesystem::path(out.audit.database).parent_path();
  for (auto& [domain, bundle] : out.identity.trust_bundles) {
    if (!bundle.endpoint.empty()) bundle.cache = (folder / ("bundle." + domain + ".json")).string();
  }
  for (auto& [name, provider] : out.jwt) {
    if (!provider.keys.endpoint.empty()) provider.keys.cache = (folder / ("jwks." + name + ".json")).string();
  }
}

}  // namespace

Config readConfig(const std::string& file, Problems& problems, base::FileTrust& trust) {
  Config out;
  out.file = file;
  auto text = trust.read(file, 16 << 20);
  if (!text) {
    std::error_code error;
    const bool missing = !std::filesystem::exists(std::filesystem::symlink_status(file, error));
    problems.add(missing
                     ? file + ": there is no such file: `yett init` writes one, `-c FILE` or YETT_CONFIG names another"
                     : text.error().message);
    return out;
  }
  out.text = text.value();
  auto parsed = json::parse(out.text, true);
  if (!parsed) {
    const std::string& what = parsed.error().message;  // "line 3: ..."
    const auto colon = what.find(':');
    problems.add(std::atoi(what.c_str() + 5), "", what.substr(colon + 2));
    return out;
  }
  findVariables(parsed.value(), "", problems);
  ObjectReader root(parsed.value(), "", problems);
  std::string schema;  // for editors
  root.text("$schema", schema);
  root.object("identity", [&](ObjectReader& in) { readIdentity(in, file, out.identity); });
  root.object("authentication", [&](ObjectReader& in) { readAuthentication(in, file, out.jwt); });
  root.objects("listeners", 1, [&](ObjectReader& in) { readListener(in, out, out.listeners.emplace_back()); });
  std::string zone;
  root.text("zone", zone);
  root.objects("clusters", 1, [&](ObjectReader& in) { readCluster(in, file, zone, out.clusters.emplace_back()); });
  checkPeers(root, out);
  for (const auto& cluster : out.clusters) {
    if (!cluster.token_audience.empty() && out.identity.workload_api.empty())
      root.problem("clusters", "`jwt_svid` of `" + base::printable(cluster.name) +
                                   "` needs `/identity/workload_api`, which issues such tokens");
  }
  if (!root.has("policy")) root.problem("", "`policy` is missing");
  root.object("policy", [&](ObjectReader& in) { readPolicy(in, file, out); });
  if (!root.has("audit")) root.problem("", "`audit` is missing: every decision must be recorded");
  root.object("audit", [&](ObjectReader& in) { readAudit(in, file, out.audit, out.sinks); });
  keepBundles(out);
  root.object("cache", [&](ObjectReader& in) { readCache(in, file, out.cache); });
  if (!out.cache.database.empty() && out.cache.database == out.audit.database)
    root.problem("cache", "`database` is the audit database: name a different file");
  root.object("admin", [&](ObjectReader& in) { readAdmin(in, file, out.admin); });
  root.text("access_log", out.access_log);
  if (out.access_log != "stdout" && out.access_log != "off") out.access_log = base::relativeTo(file, out.access_log);
  root.number("workers", 0, 256, out.workers);
  root.number("max_connections", 1, 1'000'000, out.max_connections);
  root.size("memory_limit", out.memory_limit);
  if (out.memory_limit > 0 && out.memory_limit < (64 << 20)) root.problem("memory_limit", "must be at least 64MiB");
  root.object("sandbox", [&](ObjectReader& in) { readSandbox(in, file, out.sandbox); });
  root.object("resolver", [&](ObjectReader& in) { readResolver(in, out.resolver); });
  root.object("shutdown", [&](ObjectReader& in) { readShutdown(in, out.shutdown); });
  readOwners(root, out);
  trust.setOwners(out.trusted_owners);
  checkNames(root, "listeners", out.listeners);
  checkNames(root, "clusters", out.clusters);
  checkNames(root, "policy", out.engines);
  checkClusters(parsed.value(), out, problems);
  checkProfiles(root, out);
  return out;
}

}  // namespace yett::config
