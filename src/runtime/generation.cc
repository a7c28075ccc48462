#include "runtime/generation.h"

#include <algorithm>

#include "audit/checkpoint.h"
#include "base/sha256.h"
#include "engine/json_engine.h"
#include "engine/plugin_engine.h"
#include "lua/engine.h"
#include "memory/remembered_db.h"
#include "net/tls_context.h"
#include "sink/sink_config.h"

namespace yett::runtime {
namespace {

struct TlsFiles {
  std::string certificate;
  std::string key;
  std::map<std::string, std::string> bundles;
  std::string digest;
};

TlsFiles readTlsFiles(const identity::IdentityConfig& identity, config::Problems& problems, base::FileTrust& trust) {
  TlsFiles out;
  const auto take = [&](Result<std::string> read, std::string& to) {
    if (read) to = std::move(read).value();
    else problems.add("identity: " + read.error().message);
  };
  if (!identity.certificate.empty()) {
    take(trust.read(identity.certificate), out.certificate);
    take(trust.readSecret(identity.private_key), out.key);
  }
  for (const auto& [domain, path] : identity.trust_bundles) take(trust.read(path), out.bundles[domain]);
  base::Sha256Hasher hasher;
  hasher.update(out.certificate).update({"\0", 1}).update(out.key);
  for (const auto& [domain, pem] : out.bundles) hasher.update({"\0", 1}).update(domain).update({"\0", 1}).update(pem);
  const auto hash = hasher.finish();
  out.digest = base::view(hash);
  return out;
}

std::shared_ptr<const net::TlsContext> makeTls(const proxy::ListenerConfig& listener, const TlsFiles& files,
                                               const std::shared_ptr<const identity::TrustBundles>& bundles,
                                               config::Problems& problems) {
  std::string protocols;  // HTTP/2 first: one connection then does for all of a caller's requests
  if (listener.protocol != proxy::Protocol::kHttp1) protocols += "\x02h2";
  if (listener.protocol != proxy::Protocol::kHttp2) protocols += "\x08http/1.1";
  auto context = net::TlsContext::create({listener.name, files.certificate, files.key, bundles,
                                          listener.client_certificate, listener.handshakes_per_second, protocols});
  if (context) return context.value();
  problems.add("listener `" + listener.name + "`: " + context.error().message);
  return nullptr;
}

void buildListeners(Generation& out, const Previous& previous, config::Problems& problems, base::FileTrust& trust) {
  const size_t before_reading = problems.texts().size();
  const TlsFiles files = readTlsFiles(out.config.identity, problems, trust);
  if (problems.texts().size() > before_reading) return;
  out.tls_digest = files.digest;
  auto bundles = identity::TrustBundles::create(files.bundles);
  if (!bundles) return problems.add("identity: " + bundles.error().message);
  const auto shared = std::make_shared<const identity::TrustBundles>(std::move(bundles).value());
  out.bundles = shared;
  for (const auto& config : out.config.listeners) {
    auto state = std::make_shared<proxy::ListenerState>();
    state->config = config;
    auto routes = proxy::RouteTable::create(config.routes);
    if (!routes) {
      problems.add("listener `" + config.name + "`: " + routes.error().message);
      continue;
    }
    state->routes = std::make_shared<const proxy::RouteTable>(std::move(routes).value());
    if (!config.plaintext) {
      const auto* before = previous != nullptr && previous->listeners.contains(config.name)
                               ? previous->listeners.at(config.name).get()
                               : nullptr;
      const bool same = before != nullptr && before->tls != nullptr && previous->tls_digest == files.digest &&
                        before->config.client_certificate == config.client_certificate &&
                        before->config.handshakes_per_second == config.handshakes_per_second &&
                        before->config.protocol == config.protocol;
      // The same files make the same context: its sessions stay good, so callers can go on resuming.
      state->tls = same ? before->tls : makeTls(config, files, shared, problems);
    }
    out.listeners.emplace(config.name, std::move(state));
  }
}

void buildClusters(Generation& out, const Previous& previous, config::Problems& problems) {
  for (const auto& config : out.config.clusters) {
    const auto before =
        previous != nullptr ? previous->clusters.find(config.name) : decltype(previous->clusters.find(""))();
    if (previous != nullptr && before != previous->clusters.end() && before->second->config == config) {
      out.clusters.emplace(config.name, before->second);
      continue;
    }
    auto cluster = upstream::Cluster::create(config);
    if (cluster) out.clusters.emplace(config.name, cluster.value());
    else problems.add(cluster.error().message);
  }
}

}  // namespace

namespace {

/// The rules of the previous set with this name and digest, or null.
std::shared_ptr<const policy::RuleSet> reused(const policy::PolicySet* previous, const engine::EngineConfig& config,
                                              const std::string& digest) {
  if (previous == nullptr) return nullptr;
  for (const auto& before : previous->engines()) {
    if (before.name == config.name && before.rules->digest() == digest) return before.rules;
  }
  return nullptr;
}

Result<std::shared_ptr<const policy::RuleSet>> loadPlugin(const engine::EngineConfig& config,
                                                          const policy::PolicySet* previous, base::FileTrust& trust) {
  const std::string object = TRY(trust.read(config.path, size_t{256} << 20));
  std::string settings;
  if (!config.settings.empty()) settings = TRY(trust.read(config.settings));
  if (auto before = reused(previous, config, engine::PluginRuleSet::digestOf(object, settings))) return before;
  return std::shared_ptr<const policy::RuleSet>(
      TRY(engine::PluginRuleSet::load(config.path, object, std::move(settings))));
}

std::shared_ptr<const policy::RuleSet> loadEngine(const engine::EngineConfig& config, const policy::PolicySet* previous,
                                                  std::vector<std::string>& texts, base::FileTrust& trust) {
  if (config.path.empty()) return nullptr;  // a problem that was told of
  if (config.type == "plugin") {
    auto rules = loadPlugin(config, previous, trust);
    if (rules) return rules.value();
    texts.push_back("plugin " + rules.error().message);
    return nullptr;
  }
  auto source = policy::PolicySource::read(config.path, trust);
  if (!source) {
    texts.push_back("policy " + source.error().message);
    return nullptr;
  }
  const bool json = config.type == "rules";
  const std::string digest = json ? engine::JsonRuleSet::digestOf(source.value()) : source.value().digest;
  if (auto before = reused(previous, config, digest)) return before;
  if (json) return engine::JsonRuleSet::load(source.value(), texts);
  return lua::LuaRuleSet::load(std::move(source).value(), texts);
}

}  // namespace

std::shared_ptr<const policy::PolicySet> loadPolicy(const std::vector<engine::EngineConfig>& engines,
                                                    const policy::Budget& budget, const policy::PolicySet* previous,
                                                    config::Problems& problems, base::FileTrust& trust) {
  std::vector<policy::LoadedEngine> loaded;
  std::vector<std::string> texts;
  for (const auto& config : engines) {
    auto rules = loadEngine(config, previous, texts, trust);
    if (rules) loaded.push_back({config.name, config.veto, std::move(rules)});
  }
  for (const auto& text : texts) problems.add(text);
  if (!texts.empty()) return nullptr;
  return std::make_shared<const policy::PolicySet>(std::move(loaded), budget);
}

static void checkAuditKeys(const audit::AuditConfig& config, config::Problems& problems, base::FileTrust& trust) {
  for (const std::string& file : {config.key_file, config.previous_key_file}) {
    if (file.empty()) continue;
    auto pem = trust.readSecret(file);
    if (!pem) problems.add("audit: " + pem.error().message);
    else if (auto key = audit::SigningKey::fromPem(pem.value()); !key)
      problems.add("audit: " + file + " " + key.error().message);
  }
  if (config.mask_key_file.empty()) return;
  auto key = trust.readSecret(config.mask_key_file);
  if (!key) problems.add("audit: " + key.error().message);
  else if (key.value().size() < 16) problems.add("audit: " + config.mask_key_file + " is too short for a key");
}

// What vouches for whom records leave to, and for us there.
static void checkSinkFiles(const std::vector<sink::SinkConfig>& sinks, config::Problems& problems,
                           base::FileTrust& trust) {
  const auto check = [&](const sink::SinkConfig& sink, const Result<std::string>& read) {
    if (!read) problems.add("audit: sink `" + sink.name + "`: " + read.error().message);
  };
  for (const auto& sink : sinks) {
    if (!sink.bundle.empty()) check(sink, trust.read(sink.bundle));
    if (!sink.certificate.empty()) check(sink, trust.read(sink.certificate));
    if (!sink.private_key.empty()) check(sink, trust.readSecret(sink.private_key));
  }
}

std::shared_ptr<const Generation> build(const std::string& config_file, const Previous& previous,
                                        config::Problems& problems, base::FileTrust& trust) {
  auto out = std::make_shared<Generation>();
  out->config = config::readConfig(config_file, problems, trust);
  const bool readable = !problems.any();
  if (!out->config.engines.empty()) {
    out->policy = loadPolicy(out->config.engines, out->config.budget, previous ? previous->policy.get() : nullptr,
                             problems, trust);
    if (previous && out->policy && out->policy->digest() == previous->policy->digest()) out->policy = previous->policy;
  }
  if (!out->config.shadow.empty()) {
    const policy::PolicySet* before = previous ? previous->shadow.get() : nullptr;
    config::Problems found("");
    out->shadow = loadPolicy(out->config.shadow, out->config.budget, before, found, trust);
    // Without effect as it is, it keeps nothing else from being taken.
    for (const auto& problem : found.texts()) out->shadow_problems.push_back("shadow: " + problem);
    if (!out->shadow && previous) out->shadow = previous->shadow;
    if (out->shadow && before != nullptr && out->shadow->digest() == before->digest()) out->shadow = previous->shadow;
  }
  const auto& pin = out->config.policy_pin;
  if (out->policy && !pin.empty() && std::find(pin.begin(), pin.end(), out->policy->digest()) == pin.end())
    problems.add("policy: its digest " + out->policy->digest() + " is not one that `policy.pin` lists");
  if (!readable) return nullptr;  // what a file names is looked at only where the file is understood
  if (!out->config.cache.database.empty()) {
    const std::string& path = out->config.cache.key_file;
    auto key = trust.readSecret(path);
    if (key) key = memory::usableCacheKey(std::move(key).value(), path);
    if (!key) problems.add("cache: " + key.error().message);
  }
  checkAuditKeys(out->config.audit, problems, trust);
  checkSinkFiles(out->config.sinks, problems, trust);
  buildListeners(*out, previous, problems, trust);
  buildClusters(*out, previous, problems);
  return problems.any() ? nullptr : out;
}

}  // namespace yett::runtime
