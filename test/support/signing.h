// Keys that sign tokens, for tests.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "identity/jwk.h"

namespace yett::test {

/// base64url.
std::string url(std::string_view bytes);

class SigningKey {
 public:
  static SigningKey rsa(int bits, const std::string& id);
  static SigningKey ec(const std::string& curve, const std::string& id);
  static SigningKey ed25519(const std::string& id);

  /// The public key.
  std::string jwk() const;
  /// "RSA", "P-256", "Ed25519".
  const std::string& kind() const { return kind_; }
  /// A compact JWS with `alg` and `kid`.
  std::string token(identity::JwsAlgorithm algorithm, const std::string& claims) const;
  /// The same with any header; signed by `algorithm`, whatever the header says.
  std::string signedAs(identity::JwsAlgorithm algorithm, const std::string& header, const std::string& claims) const;
  /// As OpenSSL makes it.
  std::string derSignature(identity::JwsAlgorithm algorithm, const std::string& input) const;

 private:
  std::string kind_;
  std::string id_;
  std::shared_ptr<EVP_PKEY> key_;
};

}  // namespace yett::test
