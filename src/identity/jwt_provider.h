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
#include "identity/trust_bundle.h"

namespace yett::identity {

/// Where a caller puts its token.
struct TokenPlace {
  bool cookie = false;
  std::string name;  ///< of the header, in lower case, or of the cookie
  bool operator==(const TokenPlace&) const = default;
};

struct JwtProviderConfig {
  bool svid = false;  ///< JWT-SVIDs, with the keys of the trust bundles: no issuer, no algorithms, no `keys`
  std::string issuer;
  std::vector<std::string> audiences;
  std::vector<JwsAlgorithm> algorithms;
  BundleConfig keys;  ///< a file or an endpoint
  std::vector<TokenPlace> from = {{false, "authorization"}};
  bool forward = false;                             ///< the service gets the token too
  std::map<std::string, std::string> headers = {};  ///< that tell the service of it: name -> template
  base::Millis clock_skew{30'000};
  bool operator==(const JwtProviderConfig&) const = default;
};
using JwtProviderConfigs = std::map<std::string, JwtProviderConfig>;  // by name

struct JwtProvider {
  JwtProviderConfig config;
  JwtRules rules;
  using Keys = std::vector<VerifyKey>;
  std::shared_ptr<const Keys> keys;             ///< none: its endpoint has not answered yet, or not for too long
  std::shared_ptr<const TrustBundles> bundles;  ///< of JWT-SVIDs
  std::string settings;                         ///< digest of those that tokens depend on
  std::string digest;                           ///< of these and the keys
};

/// Verifies a token as `provider` wants it; see verifyJwt() and verifyJwtSvid().
JwtResult verify(const JwtProvider& provider, std::string_view token, int64_t now);

/// Whether the key with this digest still verifies the provider's tokens; of a JWT-SVID, those of `subject`.
bool hasKey(const JwtProvider& provider, std::string_view key_digest, std::string_view subject);

/// By name: a key set as readJwkSet() reads it, or why it could not be read.
using KeySets = std::map<std::string, Result<std::string>>;

class JwtProviders {
 public:
  /// `key_sets`: of an endpoint there may be none. A provider whose key set is refused keeps the keys of `before` (may
  /// be null) if it has it with the same settings, and holds back no other; else it is left out. Adds to `refused` why.
  static JwtProviders create(const JwtProviderConfigs& configs, const KeySets& key_sets, const JwtProviders* before,
                             std::vector<std::string>& refused);
  /// The same, with the keys of these bundles for JWT-SVIDs.
  JwtProviders with(const std::shared_ptr<const TrustBundles>& bundles) const;
  /// Null if there is none.
  const JwtProvider* find(std::string_view name) const;
  /// Headers that only a token may set: of all providers, in lower case.
  const std::vector<std::string>& ownedHeaders() const { return owned_headers_; }
  /// SHA-256 (bytes) over all of them.
  const std::string& digest() const { return digest_; }

 private:
  void digestAll();
  std::map<std::string, JwtProvider, std::less<>> providers_;
  std::vector<std::string> owned_headers_;
  std::string digest_;
};

}  // namespace yett::identity
