#include "runtime/inputs.h"

#include <algorithm>

#include "audit/checkpoint.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "identity/file_source.h"
#include "identity/identity_config.h"
#include "memory/remembered_db.h"
#include "sink/sink_config.h"

namespace yett::runtime {

namespace {

// The bundles of the Workload API, overruled by those that the configuration names.
Result<identity::TrustBundles::Sources> bundlesOf(const identity::IdentityConfig& identity, const ApiSources& api,
                                                  base::FileTrust& trust) {
  const identity::FileBundles files(identity, trust, base::wallMicros() / 1'000'000);
  auto named = TRY(files.bundles());
  if (api.bundles == nullptr) return named;
  auto out = TRY(api.bundles->bundles());
  // A domain that the configuration gives is never the API's, even while its endpoint has no answer.
  for (const auto& [domain, bundle] : identity.trust_bundles) {
    if (bundle.given()) out.erase(domain);
  }
  out.merge(named);
  identity::addCrls(identity, trust, out);
  return out;
}

}  // namespace

void TlsInput::take(const identity::OwnSvid& own) {
  certificate = own.certificate;
  key = own.key;
  missing.clear();
  base::Sha256Hasher hasher;
  hasher.update(certificate).update({"\0", 1}).update(key);
  const auto hash = hasher.finish();
  digest = base::view(hash);
}

identity::KeySets readKeySets(const identity::JwtProviderConfigs& providers, base::FileTrust& trust) {
  identity::KeySets out;
  for (const auto& [name, provider] : providers) {
    const std::string path = identity::currentFile(provider.keys, base::wallMicros() / 1'000'000);
    if (path.empty()) continue;  // its endpoint has not answered yet, or not for too long
    out.emplace(name, trust.read(path));
  }
  return out;
}

TlsInput readTls(const identity::IdentityConfig& identity, const ApiSources& api, config::Problems& problems,
                 base::FileTrust& trust) {
  TlsInput out;
  const size_t before = problems.texts().size();
  const identity::FileSvid file(identity, trust);
  const bool by_api = !identity.workload_api.empty();
  const identity::SvidSource* source = by_api ? api.svid : &file;
  auto svid = source != nullptr ? source->svid(identity.spiffe_id)
                                : Result<identity::OwnSvid>(Error{"only `yett run` asks the Workload API"});
  if (svid) {
    out.take(svid.value());
  } else if (by_api) {
    out.missing = svid.error().message;
  } else {
    problems.add("identity: " + svid.error().message);
  }
  auto bundles = bundlesOf(identity, by_api ? api : ApiSources(), trust);
  out.bundles_known = bundles.ok();
  if (bundles) out.bundles = std::move(bundles).value();
  else problems.add("identity: " + bundles.error().message);
  out.complete = problems.texts().size() == before;
  return out;
}

namespace {

Result<EngineInput> readEngine(const engine::EngineConfig& config, base::FileTrust& trust) {
  EngineInput out{.config = config};
  if (config.type == "plugin") {
    auto object = trust.read(config.path, size_t{256} << 20);
    if (!object) return std::move(object).error().within("plugin");
    out.object = std::move(object).value();
    if (config.settings.empty()) return out;
    auto settings = trust.read(config.settings);
    if (!settings) return std::move(settings).error().within("plugin");
    out.settings = std::move(settings).value();
    return out;
  }
  auto source = policy::PolicySource::read(config.path, trust);
  if (!source) return Error{"policy " + source.error().message};
  out.source = std::move(source).value();
  return out;
}

void checkAuditKeys(const audit::AuditConfig& config, config::Problems& problems, base::FileTrust& trust) {
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
  else if (key.value().size() < 16)
    problems.add("audit: " + config.mask_key_file + " is too short for a key: at least 16 bytes are needed");
}

// Checks the files that authenticate the receivers of records, and Yett to them.
void checkSinkFiles(const std::vector<sink::SinkConfig>& sinks, config::Problems& problems, base::FileTrust& trust) {
  const auto check = [&](const sink::SinkConfig& sink, const Result<std::string>& read) {
    if (!read) problems.add("audit: sink `" + sink.name + "`: " + read.error().message);
  };
  for (const auto& sink : sinks) {
    if (!sink.bundle.empty()) check(sink, trust.read(sink.bundle));
    if (!sink.certificate.empty()) check(sink, trust.read(sink.certificate));
    if (!sink.private_key.empty()) check(sink, trust.readSecret(sink.private_key));
  }
}

void checkCacheKey(const memory::CacheConfig& cache, config::Problems& problems, base::FileTrust& trust) {
  if (cache.database.empty()) return;
  auto key = trust.readSecret(cache.key_file);
  if (key) key = memory::usableCacheKey(std::move(key).value(), cache.key_file);
  if (!key) problems.add("cache: " + key.error().message);
}

}  // namespace

std::vector<EngineInput> readEngines(const std::vector<engine::EngineConfig>& engines,
                                     std::vector<std::string>& problems, base::FileTrust& trust) {
  std::vector<EngineInput> out;
  for (const auto& config : engines) {
    if (config.path.empty()) continue;  // already reported
    auto engine = readEngine(config, trust);
    if (engine) out.push_back(std::move(engine).value());
    else problems.push_back(engine.error().message);
  }
  return out;
}

void readAllEngines(const config::Config& config, Inputs& out, config::Problems& problems, base::FileTrust& trust) {
  std::vector<std::string> texts;
  out.engines = readEngines(config.engines, texts, trust);
  for (const auto& text : texts) problems.add(text);
  out.shadow = readEngines(config.shadow, out.shadow_problems, trust);
}

std::map<std::string, std::string> readClusterAuthorities(const std::vector<upstream::ClusterConfig>& clusters,
                                                          config::Problems& problems, base::FileTrust& trust) {
  std::map<std::string, std::string> out;
  for (const auto& cluster : clusters) {
    if (cluster.tls.ca.empty()) continue;
    auto read = trust.read(cluster.tls.ca);
    if (read) out[cluster.name] = std::move(read).value();
    else problems.add("cluster `" + cluster.name + "`: " + read.error().message);
  }
  return out;
}

Inputs readInputs(const std::string& config_file, const ApiSources& api, config::Problems& problems,
                  base::FileTrust& trust) {
  Inputs out;
  out.config = config::readConfig(config_file, problems, trust);
  out.understood = !problems.any();
  readAllEngines(out.config, out, problems, trust);
  if (!out.understood) return out;  // other files are read only if the configuration is valid
  checkCacheKey(out.config.cache, problems, trust);
  checkAuditKeys(out.config.audit, problems, trust);
  checkSinkFiles(out.config.sinks, problems, trust);
  out.tls = readTls(out.config.identity, api, problems, trust);
  out.key_sets = readKeySets(out.config.jwt, trust);
  out.authorities = readClusterAuthorities(out.config.clusters, problems, trust);
  return out;
}

}  // namespace yett::runtime
