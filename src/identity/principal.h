// The caller's identity: created once per connection, immutable, shared by its exchanges.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace yett::identity {

/// How a CRL names a certificate (RFC 5280 5.3): by its issuer and the number that the issuer gave it.
struct CertificateLink {
  std::string issuer;  ///< SHA-256 (bytes) of the issuer's name
  std::string serial;  ///< DER
};

struct Principal {
  enum class Kind { kAnonymous, kX509Svid };
  Kind kind = Kind::kAnonymous;
  std::string id;                  ///< the SPIFFE ID, or "" when anonymous
  std::string trust_domain;        ///< "" when anonymous
  std::string path;                ///< of the SPIFFE ID, with its leading '/'
  std::string certificate_sha256;  ///< hex, of the leaf's DER
  // From the verified chain, including the trust anchor; times in seconds since 1970.
  int64_t valid_from = 0;     ///< the latest notBefore in the chain
  int64_t expires = 0;        ///< the earliest notAfter in the chain; invalid from that second on
  std::string anchor_sha256;  ///< bytes, of the trust anchor's DER
  /// The chain from the leaf to the certificate below the anchor; empty if the bundle has no CRL.
  std::vector<CertificateLink> chain = {};

  bool anonymous() const { return kind == Kind::kAnonymous; }
  std::string_view kindName() const { return anonymous() ? "anonymous" : "x509-svid"; }
};

}  // namespace yett::identity
