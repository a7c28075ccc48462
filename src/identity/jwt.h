// JSON Web Tokens (RFC 7519) as compact JWS (RFC 7515), read and verified by the rules of RFC 8725: one spelling of
// each token, an algorithm that was agreed beforehand, keys that were given beforehand, an issuer and an audience.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/jwk.h"

namespace yett::identity {

/// What a token must be.
struct JwtRules {
  std::string issuer;                  ///< `iss`, exactly; "": any
  std::vector<std::string> audiences;  ///< one of them must be in `aud`
  std::vector<JwsAlgorithm> algorithms;
  std::vector<std::string> types = {"JWT", "at+jwt"};  ///< that `typ` may be, if it is there; without case
  int64_t clock_skew = 0;                              ///< seconds
};

/// A token that was verified.
struct VerifiedJwt {
  std::string issuer;
  std::string subject;  ///< "": it has none
  std::vector<std::string> audiences;
  int64_t expires = 0;     ///< seconds since 1970, without the skew: invalid from that second on
  std::string key_id;      ///< of the key that verified it
  std::string key_digest;  ///< likewise
  std::string claims;      ///< the payload: strict JSON, an object without duplicate names
};

struct JwtRefusal {
  std::string why;            ///< without anything of the token but short names
  bool key_unknown = false;   ///< none of the keys is the one that the token names: newer keys might have it
  bool keys_awaited = false;  ///< there are no keys yet
};

class JwtResult {
 public:
  JwtResult(VerifiedJwt token) : token_(std::move(token)) {}
  JwtResult(JwtRefusal refusal) : refusal_(std::move(refusal)), ok_(false) {}
  explicit operator bool() const { return ok_; }
  VerifiedJwt& token() { return token_; }
  const VerifiedJwt& token() const { return token_; }
  const JwtRefusal& refusal() const { return refusal_; }

 private:
  VerifiedJwt token_;
  JwtRefusal refusal_;
  bool ok_ = true;
};

inline constexpr size_t kMostJwtBytes = 16 << 10;

/// Verifies a token at `now` (seconds since 1970). `exp` must be there; `nbf` and `iat` are checked if they are.
JwtResult verifyJwt(std::string_view token, const JwtRules& rules, std::span<const VerifyKey> keys, int64_t now);

/// What a token says, unverified: the key id in its header, its issuer and subject ("" if it has none), `aud`, and
/// `exp` (0 if it has none). To find out which keys to use, or what to expect of a token from who issues it. Errors: as
/// verifyJwt() for a token that is malformed.
struct JwtHints {
  std::string key_id;
  std::string issuer;
  std::string subject;
  std::vector<std::string> audiences;
  int64_t expires = 0;
};
Result<JwtHints> jwtHints(std::string_view token);

}  // namespace yett::identity
