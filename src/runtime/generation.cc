#include "runtime/generation.h"

#include <algorithm>

#include "base/clock.h"
#include "identity/own_certificate.h"
#include "net/tls_context.h"
#include "net/tls_settings.h"
#include "runtime/cluster_build.h"
#include "runtime/policy_build.h"

namespace yett::runtime {
namespace {

using Bundle = identity::TrustBundles::Bundle;

std::shared_ptr<const net::TlsContext> makeTls(const proxy::ListenerConfig& listener, const TlsInput& files,
                                               const std::shared_ptr<const identity::TrustBundles>& bundles,
                                               const std::string& key_log, config::Problems& problems) {
  std::string protocols;  // HTTP/2 first: one connection then serves all of a caller's requests
  if (listener.protocol != proxy::Protocol::kHttp1) protocols += "\x02h2";
  if (listener.protocol != proxy::Protocol::kHttp2) protocols += "\x08http/1.1";
  auto context = net::TlsContext::create({.name = listener.name,
                                          .certificate_pem = files.certificate,
                                          .private_key_pem = files.key,
                                          .bundles = bundles,
                                          .client_certificate = listener.client_certificate,
                                          .handshakes_per_second = listener.handshakes_per_second,
                                          .key_log = key_log,
                                          .protocols = protocols});
  if (context) return context.value();
  problems.add("listener `" + listener.name + "`: " + context.error().message);
  return nullptr;
}

// A bundle document that its publisher has replaced by a newer one must not come back (SPIFFE Trust Domain and Bundle,
// section 4.1.1).
std::string olderThan(const std::string& domain, const Bundle& bundle, const Bundle& before) {
  if (!before.sequence || !bundle.sequence || *bundle.sequence >= *before.sequence) return "";
  return "bundle of " + domain + ": its `spiffe_sequence` went back from " + std::to_string(*before.sequence) + " to " +
         std::to_string(*bundle.sequence) + ": the newer one stays in force";
}

// A CRL that cannot be used is refused if only its file has changed: then the one before stays. If the bundle has
// changed, that must take effect, whatever the CRL.
std::string unusedCrl(const std::string& domain, const Bundle& bundle, const Bundle& before) {
  if (!bundle.revocations || bundle.revocations->unused().empty()) return "";
  const bool was_used = before.revocations && before.revocations->unused().empty();
  if (!was_used || before.text_digest != bundle.text_digest || before.digest == bundle.digest) return "";
  return "bundle of " + domain + ": its CRL: " + bundle.revocations->unused();
}

std::string objectionTo(const std::string& domain, const Bundle& bundle, const Bundle& before) {
  std::string why = olderThan(domain, bundle, before);
  return why.empty() ? unusedCrl(domain, bundle, before) : why;
}

// A provider whose key set is refused keeps the keys that it has in `before`; `problems` says why.
void buildProviders(Generation& out, const identity::KeySets& key_sets, const identity::JwtProviders* before,
                    config::Problems& problems) {
  std::vector<std::string> refused;
  out.providers = std::make_shared<const identity::JwtProviders>(
      identity::JwtProviders::create(out.config.jwt, key_sets, before, refused));
  for (const auto& why : refused) problems.add("authentication: " + why);
}

std::shared_ptr<const identity::TrustBundles> makeBundles(const TlsInput& files, const Previous& previous,
                                                          config::Problems& problems) {
  const identity::TrustBundles none;
  const identity::TrustBundles& before = previous != nullptr && previous->bundles ? *previous->bundles : none;
  std::vector<std::string> refused;
  auto out = identity::TrustBundles::renew(files.bundles, base::wallMicros() / 1'000'000, before, objectionTo, refused);
  for (const auto& why : refused) problems.add("identity: " + why);
  return std::make_shared<const identity::TrustBundles>(std::move(out));
}

// Bundles that are refused, and why, are in `of_bundles`: they hold nothing else back.
void buildListeners(Generation& out, const TlsInput& files, const Previous& previous, config::Problems& problems,
                    config::Problems& of_bundles) {
  out.listeners.clear();  // `out` may be a copy of the previous generation
  out.waits = files.missing;
  if (!out.waits.empty() && previous != nullptr && previous->waits.empty())
    return problems.add("identity: " + out.waits);
  const auto shared = makeBundles(files, previous, of_bundles);
  out.bundles = shared;
  out.tls_digest = files.digest + shared->digest();
  if (out.providers) out.providers = std::make_shared<const identity::JwtProviders>(out.providers->with(shared));
  out.own = std::make_shared<const identity::OwnSvid>(identity::OwnSvid{files.certificate, files.key});
  out.certificate_expires = 0;
  out.spiffe_id.clear();
  if (!files.certificate.empty()) {
    const auto own = identity::readOwnCertificate(files.certificate, *shared, base::wallMicros() / 1'000'000);
    if (own) {
      out.certificate_expires = own.value().not_after;
      out.certificate_valid_from = own.value().not_before;
      out.spiffe_id = own.value().spiffe_id;
    }
  }
  const bool shown = std::any_of(out.config.listeners.begin(), out.config.listeners.end(),
                                 [](const auto& listener) { return !listener.plaintext; });
  if (!shown && !files.certificate.empty()) {  // a TLS context would say so
    if (auto pair = net::checkIdentity(files.certificate, files.key); !pair)
      problems.add("identity: " + pair.error().message);
  }
  for (const auto& config : out.config.listeners) {
    auto state = std::make_shared<proxy::ListenerState>();
    state->config = config;
    const auto known =
        previous != nullptr ? previous->listeners.find(config.name) : decltype(out.listeners)::iterator();
    const proxy::ListenerState* before =
        previous != nullptr && known != previous->listeners.end() ? known->second.get() : nullptr;
    auto routes = proxy::RouteTable::create(config.routes, before != nullptr ? before->routes.get() : nullptr);
    state->rate_limits = proxy::makeRateLimits(config.rate_limits, before != nullptr ? &before->rate_limits : nullptr);
    if (!routes) {
      problems.add("listener `" + config.name + "`: " + routes.error().message);
      continue;
    }
    state->routes = std::make_shared<const proxy::RouteTable>(std::move(routes).value());
    state->providers = out.providers;
    state->own_id = out.spiffe_id;
    if (!out.waits.empty()) continue;  // a listener without its certificate must not serve
    if (!config.plaintext) {
      const bool same = before != nullptr && before->tls != nullptr && previous->tls_digest == out.tls_digest &&
                        before->config.client_certificate == config.client_certificate &&
                        previous->config.identity.unsafe_key_log == out.config.identity.unsafe_key_log &&
                        before->config.handshakes_per_second == config.handshakes_per_second &&
                        before->config.protocol == config.protocol;
      // The same files give the same context, so reuse it: callers can still resume their TLS sessions.
      state->tls = same ? before->tls : makeTls(config, files, shared, out.config.identity.unsafe_key_log, problems);
    }
    out.listeners.emplace(config.name, std::move(state));
  }
}

// The shadow has no effect on requests, so its problems do not block anything else.
void buildShadow(Generation& out, Inputs& inputs, const Previous& previous) {
  out.shadow_problems.clear();
  if (out.config.shadow.empty()) return;
  const policy::PolicySet* before = previous ? previous->shadow.get() : nullptr;
  std::vector<std::string> found = std::move(inputs.shadow_problems);
  if (found.empty()) out.shadow = buildPolicy(std::move(inputs.shadow), out.config.budget, before, found);
  for (const auto& problem : found) out.shadow_problems.push_back("shadow: " + problem);
  if (!out.shadow && previous) out.shadow = previous->shadow;
  if (out.shadow && before != nullptr && out.shadow->digest() == before->digest()) out.shadow = previous->shadow;
}

void buildPolicies(Generation& out, Inputs& inputs, const Previous& previous, config::Problems& problems) {
  const bool all_read = inputs.engines.size() == out.config.engines.size();
  if (!out.config.engines.empty()) {
    std::vector<std::string> texts;
    const policy::PolicySet* before = previous ? previous->policy.get() : nullptr;
    out.policy = buildPolicy(std::move(inputs.engines), out.config.budget, before, texts);
    for (const auto& text : texts) problems.add(text);
    if (!all_read) out.policy = nullptr;
    if (before != nullptr && out.policy && out.policy->digest() == before->digest()) out.policy = previous->policy;
  }
  buildShadow(out, inputs, previous);
  const auto& pin = out.config.policy_pin;
  if (out.policy && !pin.empty() && std::find(pin.begin(), pin.end(), out.policy->digest()) == pin.end())
    problems.add("policy: its digest " + out.policy->digest() + " is not listed in `policy.pin`");
}

// Takes the new certificate with its key, and each new bundle, where they can be used, and else keeps those in force.
// False: none can be used.
bool renewListeners(Generation& out, TlsInput& tls, const Previous& previous, config::Problems& problems) {
  const auto add = [&](const config::Problems& some) {
    for (const auto& text : some.texts()) problems.add(text);
  };
  const std::string& file = previous->config.file;
  config::Problems of_listeners(file);
  config::Problems of_bundles(file);
  if (tls.complete) buildListeners(out, tls, previous, of_listeners, of_bundles);
  add(of_listeners);
  if (tls.complete && !of_listeners.any()) return add(of_bundles), true;
  if (!tls.bundles_known || previous->own == nullptr || !previous->waits.empty()) return false;
  tls.take(*previous->own);
  config::Problems again(file);
  of_bundles = config::Problems(file);
  buildListeners(out, tls, previous, again, of_bundles);
  return add(of_bundles), !again.any();
}

// Likewise for clusters: one that cannot be built stays as it was.
void renewClusters(Generation& out, const TlsInput& tls, std::map<std::string, std::string> authorities,
                   const Previous& previous, config::Problems& problems) {
  for (const auto& [name, text] : previous->authorities) authorities.try_emplace(name, text);
  buildClusters(out, tls, std::move(authorities), previous, problems);
  for (const auto& [name, cluster] : previous->clusters) {
    const auto known = previous->authorities.find(name);
    if (out.clusters.try_emplace(name, cluster).second && known != previous->authorities.end())
      out.authorities[name] = known->second;
  }
}

void keepTls(Generation& out, const Previous& previous) {
  out.clusters = previous->clusters;
  out.authorities = previous->authorities;
  if (previous->bundles)
    out.providers = std::make_shared<const identity::JwtProviders>(out.providers->with(previous->bundles));
  out.listeners.clear();
  for (const auto& [name, state] : previous->listeners) {
    auto same = std::make_shared<proxy::ListenerState>(*state);
    same->providers = out.providers;
    out.listeners.emplace(name, std::move(same));
  }
  out.bundles = previous->bundles;
  out.own = previous->own;
  out.tls_digest = previous->tls_digest;
  out.certificate_expires = previous->certificate_expires;
  out.certificate_valid_from = previous->certificate_valid_from;
  out.spiffe_id = previous->spiffe_id;
  out.waits = previous->waits;
}

}  // namespace

std::shared_ptr<const Generation> build(Inputs inputs, const Previous& previous, config::Problems& problems) {
  auto out = std::make_shared<Generation>();
  out->config = std::move(inputs.config);
  buildPolicies(*out, inputs, previous, problems);
  if (!inputs.understood) return nullptr;
  buildProviders(*out, inputs.key_sets, nullptr, problems);
  if (inputs.tls.complete) {
    buildListeners(*out, inputs.tls, previous, problems, problems);
    buildClusters(*out, inputs.tls, std::move(inputs.authorities), previous, problems);
  }
  return problems.any() ? nullptr : out;
}

std::shared_ptr<const Generation> refresh(const Previous& previous, const ApiSources& api, config::Problems& problems,
                                          base::FileTrust& trust) {
  const auto out = std::make_shared<Generation>(*previous);
  Inputs inputs;
  config::Problems of_policy(previous->config.file);
  readAllEngines(previous->config, inputs, of_policy, trust);
  buildPolicies(*out, inputs, previous, of_policy);
  if (of_policy.any()) out->policy = previous->policy;
  config::Problems of_keys(previous->config.file);
  buildProviders(*out, readKeySets(previous->config.jwt, trust), previous->providers.get(), of_keys);
  config::Problems of_tls(previous->config.file);
  TlsInput tls = readTls(previous->config.identity, api, of_tls, trust);
  auto authorities = readClusterAuthorities(previous->config.clusters, of_tls, trust);
  if (renewListeners(*out, tls, previous, of_tls)) renewClusters(*out, tls, std::move(authorities), previous, of_tls);
  else keepTls(*out, previous);
  for (const auto* part : {&of_policy, &of_tls, &of_keys}) {
    for (const auto& text : part->texts()) problems.add(text);
  }
  return out;
}

std::shared_ptr<const Generation> refreshTls(const Previous& previous, const ApiSources& api,
                                             config::Problems& problems, base::FileTrust& trust) {
  const auto out = std::make_shared<Generation>(*previous);
  TlsInput tls = readTls(previous->config.identity, api, problems, trust);
  if (!renewListeners(*out, tls, previous, problems)) return nullptr;
  renewClusters(*out, tls, previous->authorities, previous, problems);
  return out;
}

std::shared_ptr<const Generation> readAndBuild(const std::string& config_file, const Previous& previous,
                                               config::Problems& problems, base::FileTrust& trust) {
  return build(readInputs(config_file, {}, problems, trust), previous, problems);
}

}  // namespace yett::runtime
