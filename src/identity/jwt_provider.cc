#include "identity/jwt_provider.h"

#include <algorithm>

#include "base/sha256.h"
#include "identity/jwt_svid.h"

namespace yett::identity {
namespace {

// Length and content of each part, so that no two settings have the same digest.
void add(base::Sha256Hasher& hasher, std::string_view part) {
  hasher.update(std::to_string(part.size())).update(":").update(part);
}

std::string joined(std::string_view a, std::string_view b) {
  base::Sha256Hasher hasher;
  add(hasher, a);
  add(hasher, b);
  const auto hash = hasher.finish();
  return std::string(base::view(hash));
}

std::string digestOf(const JwtProviderConfig& config) {
  base::Sha256Hasher hasher;
  add(hasher, config.issuer);
  add(hasher, std::to_string(config.audiences.size()));
  for (const auto& audience : config.audiences) add(hasher, audience);
  for (const auto algorithm : config.algorithms) add(hasher, name(algorithm));
  add(hasher, std::to_string(config.clock_skew.count()));
  const auto hash = hasher.finish();
  return std::string(base::view(hash));
}

}  // namespace

Result<JwtProviders> JwtProviders::create(const JwtProviderConfigs& configs,
                                          const std::map<std::string, std::string>& key_sets) {
  JwtProviders out;
  for (const auto& [name, config] : configs) {
    const auto text = key_sets.find(name);
    const bool known = text != key_sets.end();
    const std::string where = "provider `" + name + "`: " + config.keys.file + config.keys.endpoint;
    if (!known && !config.svid && config.keys.endpoint.empty()) return Error{where + ": was not read"};
    auto keys = known ? readJwkSet(text->second) : std::vector<VerifyKey>();
    if (!keys) return std::move(keys).error().within(where);
    if (known && keys.value().empty()) return Error{where + ": has no key that verifies signatures"};
    for (const auto& [header, text] : config.headers) out.owned_headers_.push_back(header);
    JwtProvider& provider = out.providers_[name];
    provider.config = config;
    provider.keys = std::make_shared<const JwtProvider::Keys>(std::move(keys).value());
    provider.rules = {.issuer = config.issuer,
                      .audiences = config.audiences,
                      .algorithms = config.algorithms,
                      .clock_skew = config.clock_skew.count() / 1000};
    provider.settings = digestOf(config);
    provider.digest = joined(provider.settings, known ? text->second : std::string());
  }
  out.digestAll();
  return out;
}

JwtProviders JwtProviders::with(const std::shared_ptr<const TrustBundles>& bundles) const {
  JwtProviders out = *this;
  for (auto& [name, provider] : out.providers_) {
    if (!provider.config.svid) continue;
    provider.bundles = bundles;
    provider.digest = joined(provider.settings, bundles->digest());
  }
  out.digestAll();
  return out;
}

void JwtProviders::digestAll() {
  base::Sha256Hasher hasher;
  for (const auto& [name, provider] : providers_) {
    add(hasher, name);
    add(hasher, provider.digest);
  }
  const auto hash = hasher.finish();
  digest_ = base::view(hash);
}

JwtResult verify(const JwtProvider& provider, std::string_view token, int64_t now) {
  if (!provider.config.svid) return verifyJwt(token, provider.rules, *provider.keys, now);
  return verifyJwtSvid(token, provider.rules.audiences, *provider.bundles, provider.rules.clock_skew, now);
}

bool hasKey(const JwtProvider& provider, std::string_view key_digest, std::string_view subject) {
  const JwtProvider::Keys* keys = provider.keys.get();
  if (provider.config.svid) {
    const auto id = SpiffeId::parse(subject);
    const auto* bundle = id && provider.bundles ? provider.bundles->find(id.value().trustDomain()) : nullptr;
    if (bundle == nullptr) return false;
    keys = &bundle->jwt_keys;
  }
  return std::any_of(keys->begin(), keys->end(), [&](const VerifyKey& key) { return key.digest == key_digest; });
}

const JwtProvider* JwtProviders::find(std::string_view name) const {
  const auto it = providers_.find(name);
  return it == providers_.end() ? nullptr : &it->second;
}

}  // namespace yett::identity
