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

Result<JwtProvider> providerOf(const JwtProviderConfig& config, const Result<std::string>* text) {
  if (text == nullptr && !config.svid && config.keys.endpoint.empty()) return Error{"was not read"};
  if (text != nullptr && !*text) return text->error();
  auto keys = text != nullptr ? TRY(readJwkSet(text->value())) : JwtProvider::Keys();
  if (text != nullptr && keys.empty()) return Error{"has no key that verifies signatures"};
  JwtProvider out;
  out.config = config;
  out.keys = std::make_shared<const JwtProvider::Keys>(std::move(keys));
  out.rules = {.issuer = config.issuer,
               .audiences = config.audiences,
               .algorithms = config.algorithms,
               .clock_skew = config.clock_skew.count() / 1000};
  out.settings = digestOf(config);
  out.digest = joined(out.settings, text != nullptr ? text->value() : std::string());
  return out;
}

}  // namespace

JwtProviders JwtProviders::create(const JwtProviderConfigs& configs, const KeySets& key_sets,
                                  const JwtProviders* before, std::vector<std::string>& refused) {
  JwtProviders out;
  for (const auto& [name, config] : configs) {
    for (const auto& [header, text] : config.headers) out.owned_headers_.push_back(header);
    const auto text = key_sets.find(name);
    auto provider = providerOf(config, text != key_sets.end() ? &text->second : nullptr);
    if (provider) {
      out.providers_.emplace(name, std::move(provider).value());
      continue;
    }
    const std::string where = config.keys.file + config.keys.endpoint + ": ";
    const std::string& why = provider.error().message;
    refused.push_back("provider `" + name + "`: " + (why.starts_with(where) ? "" : where) + why);
    const JwtProvider* kept = before != nullptr ? before->find(name) : nullptr;
    if (kept == nullptr || kept->settings != digestOf(config)) continue;
    JwtProvider same = *kept;
    same.config = config;
    out.providers_.emplace(name, std::move(same));
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
