// Public keys that verify signatures of tokens: JSON Web Keys (RFC 7517, RFC 7518 6, RFC 8037), and what they verify
// (RFC 7518 3, RFC 8037 3.1). There are no symmetric keys here, and no algorithm without a signature.
#pragma once

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::identity {

enum class JwsAlgorithm : uint8_t {
  kRs256,
  kRs384,
  kRs512,
  kPs256,
  kPs384,
  kPs512,
  kEs256,
  kEs384,
  kEs512,
  kEdDsa,
};
/// "RS256"; names have case (RFC 7515 4.1.1).
std::optional<JwsAlgorithm> jwsAlgorithmNamed(std::string_view name);
const char* name(JwsAlgorithm algorithm);
/// All names, for messages.
const std::vector<std::string_view>& jwsAlgorithms();

/// Immutable; any thread.
struct VerifyKey {
  struct Free {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  std::string id;      ///< "": it has none
  std::string digest;  ///< SHA-256 (bytes) of the key
  std::unique_ptr<EVP_PKEY, Free> key;
  std::vector<JwsAlgorithm> algorithms;  ///< that it may be used with: those of its kind, or the one that it names

  bool serves(JwsAlgorithm algorithm) const;
};

/// Whether `signature` (RFC 7518 3.3 to 3.5) is that of `input`. REQUIRES: key.serves(algorithm).
bool verifies(const VerifyKey& key, JwsAlgorithm algorithm, std::string_view input, std::string_view signature);

/// The keys of a JWK Set that verify signatures. Others are left out (RFC 7517 5): symmetric keys, other uses, kinds
/// and curves, and keys that cannot be, such as RSA below 2048 bits. An error: no JWK Set, or a private key among them.
Result<std::vector<VerifyKey>> readJwkSet(std::string_view text);

/// One key, as JSON; nothing if it does not verify signatures, or is for another use than this (RFC 7517 4.2).
Result<std::optional<VerifyKey>> readJwk(std::string_view text, std::string_view use = "sig");

}  // namespace yett::identity
