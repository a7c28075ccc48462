#include "identity/jwt_provider.h"

#include "base/sha256.h"

namespace yett::identity {
namespace {

// Length and content of each part, so that no two settings have the same digest.
void add(base::Sha256Hasher& hasher, std::string_view part) {
  hasher.update(std::to_string(part.size())).update(":").update(part);
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
  base::Sha256Hasher hasher;
  for (const auto& [name, config] : configs) {
    const auto text = key_sets.find(name);
    const bool known = text != key_sets.end();
    const std::string where = "provider `" + name + "`: " + config.keys.file + config.keys.endpoint;
    if (!known && config.keys.endpoint.empty()) return Error{where + ": was not read"};
    auto keys = known ? readJwkSet(text->second) : std::vector<VerifyKey>();
    if (!keys) return std::move(keys).error().within(where);
    if (known && keys.value().empty()) return Error{where + ": has no key that verifies signatures"};
    JwtProvider& provider = out.providers_[name];
    provider.config = config;
    provider.keys = std::move(keys).value();
    provider.rules = {.issuer = config.issuer,
                      .audiences = config.audiences,
                      .algorithms = config.algorithms,
                      .clock_skew = config.clock_skew.count() / 1000};
    provider.settings = digestOf(config);
    base::Sha256Hasher both;
    add(both, provider.settings);
    add(both, known ? text->second : std::string());
    const auto digest = both.finish();
    provider.digest = base::view(digest);
    add(hasher, name);
    add(hasher, provider.digest);
  }
  const auto hash = hasher.finish();
  out.digest_ = base::view(hash);
  return out;
}

const JwtProvider* JwtProviders::find(std::string_view name) const {
  const auto it = providers_.find(name);
  return it == providers_.end() ? nullptr : &it->second;
}

}  // namespace yett::identity
