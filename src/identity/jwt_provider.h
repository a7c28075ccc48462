// Identity providers whose tokens are accepted, with their keys. Immutable; any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/identity_config.h"
#include "identity/jwk.h"
#include "identity/jwt.h"

namespace yett::identity {

/// Where a caller puts its token.
struct TokenPlace {
  bool cookie = false;
  std::string name;  ///< of the header, in lower case, or of the cookie
  bool operator==(const TokenPlace&) const = default;
};

struct JwtProviderConfig {
  std::string issuer;
  std::vector<std::string> audiences;
  std::vector<JwsAlgorithm> algorithms;
  BundleConfig keys;  ///< a file or an endpoint
  std::vector<TokenPlace> from = {{false, "authorization"}};
  bool forward = false;  ///< the service gets the token too
  base::Millis clock_skew{30'000};
  bool operator==(const JwtProviderConfig&) const = default;
};
using JwtProviderConfigs = std::map<std::string, JwtProviderConfig>;  // by name

struct JwtProvider {
  JwtProviderConfig config;
  JwtRules rules;
  std::vector<VerifyKey> keys;  ///< none: its endpoint has not answered yet, or not for too long
  std::string settings;         ///< digest of those that tokens depend on
  std::string digest;           ///< of these and the keys
};

class JwtProviders {
 public:
  /// `key_sets`: by name, as readJwkSet() reads them; of an endpoint there may be none.
  static Result<JwtProviders> create(const JwtProviderConfigs& configs,
                                     const std::map<std::string, std::string>& key_sets);
  /// Null if there is none.
  const JwtProvider* find(std::string_view name) const;
  /// SHA-256 (bytes) over all of them.
  const std::string& digest() const { return digest_; }

 private:
  std::map<std::string, JwtProvider, std::less<>> providers_;
  std::string digest_;
};

}  // namespace yett::identity
