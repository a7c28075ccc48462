// The stage that verifies the tokens which a route asks for (RFC 6750, RFC 7519).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "identity/jwt_provider.h"
#include "policy/token.h"

namespace yett::proxy {

struct Call;

/// Tokens that were verified, until they expire or their provider's settings or keys change; bounded in bytes. One
/// loop.
class TokenMemory {
 public:
  /// Verifies, or remembers that it did. `name`: of the provider.
  struct Outcome {
    std::shared_ptr<const policy::Token> token;  ///< null: refused
    identity::JwtRefusal refusal = {};
    std::shared_ptr<const identity::Principal> principal = nullptr;  ///< of a JWT-SVID
  };
  Outcome verify(const identity::JwtProvider& provider, std::string_view name, std::string_view token, int64_t now);
  /// Called with the name of a provider that may have newer keys; null: nobody fetches them.
  std::function<void(const std::string& provider)> key_wanted;

 private:
  struct Entry {
    std::string provider_digest;
    std::shared_ptr<const policy::Token> token;
    std::shared_ptr<const identity::Principal> principal;
  };
  struct Hash {
    size_t operator()(std::string_view key) const;
  };
  using Entries = std::unordered_map<std::string, Entry, Hash>;
  void keep(const std::string& key, Entry entry);
  std::string key_;
  Entries young_;  // older ones that were used move back here
  Entries old_;
  size_t young_bytes_ = 0;
};

/// Looks for tokens of the providers that the call's route names and verifies them. Sets call.tokens, or
/// call.token_refusal; on an anonymous connection, a JWT-SVID also sets call.principal. Where several providers look in
/// one place, a token belongs to the one that its `iss` names. Marks tokens that the service does not get as dropped.
void checkTokens(Call& call, TokenMemory& memory, int64_t now_seconds);

/// Drops trailers that a provider of the call would take for a token, or that only a token may set, in any spelling.
/// `newest`: the providers now; may be null.
void dropTokensFromTrailers(Call& call, const identity::JwtProviders* newest);

/// Whether the call's tokens would be accepted by these providers: same settings, and the key is still there. Null:
/// there are none.
bool stillVerified(const Call& call, const identity::JwtProviders* providers);

/// What a 401 asks for: `why` is that of a token that is not valid, "" if there was none.
std::string bearerChallenge(std::string_view why);

}  // namespace yett::proxy
