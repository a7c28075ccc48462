// Checkpoints: the head of the chain, signed with Ed25519 (RFC 8032), so that somebody who can write the file cannot
// forge a new chain. docs/audit.md specifies what a signature covers, byte by byte.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct evp_pkey_st;

namespace yett::audit {

/// The private key that signs. One thread at a time.
class SigningKey {
 public:
  /// PKCS#8 in PEM. Anything but Ed25519 is refused.
  static Result<std::shared_ptr<const SigningKey>> fromPem(std::string_view pem);
  ~SigningKey();
  SigningKey(const SigningKey&) = delete;

  /// 64 bytes; fails only if OpenSSL does.
  Result<std::string> sign(std::string_view message) const;
  /// 32 bytes.
  const std::string& publicKey() const { return public_key_; }

 private:
  SigningKey() = default;
  evp_pkey_st* key_ = nullptr;
  std::string public_key_;
};

/// The 32-byte public key, from the PEM file of a public or private key.
Result<std::string> publicKeyFromPem(std::string_view pem);
/// The short name of a key: the first 16 hex digits of the SHA-256 of its public key.
std::string keyId(std::string_view public_key);
bool verifySignature(std::string_view public_key, std::string_view message, std::string_view signature);

/// What a checkpoint signs: the log's id, its own sequence number, the hash of the previous link and, if the key
/// changes, the next key.
std::string checkpointMessage(std::string_view log_id, int64_t seq, std::string_view prev,
                              std::string_view next_key = {});

struct KeyPair {
  std::string private_pem;
  std::string public_pem;
};
Result<KeyPair> generateSigningKey();

}  // namespace yett::audit
