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
  /// kNamed: a caller without a SPIFFE ID, by the name in its certificate (named_principal.h).
  /// kJwtSvid: a SPIFFE ID from a token, on a connection without a client certificate.
  enum class Kind { kAnonymous, kX509Svid, kNamed, kJwtSvid };
  Kind kind = Kind::kAnonymous;
  std::string id;                  ///< the SPIFFE ID; `dns:corp/host.name` or `cn:corp/name`; "" when anonymous
  std::string trust_domain;        ///< "" when anonymous; of kNamed, `dns:corp`: who vouches for it
  std::string path;                ///< of the SPIFFE ID, with its leading '/'; of kNamed, `/host.name`
  std::string certificate_sha256;  ///< hex, of the leaf's DER
  // From the verified chain, including the trust anchor; times in seconds since 1970.
  int64_t valid_from = 0;     ///< the latest notBefore in the chain
  int64_t expires = 0;        ///< the earliest notAfter in the chain; invalid from that second on
  std::string anchor_sha256;  ///< bytes, of the trust anchor's DER
  /// The chain from the leaf to the certificate below the anchor; empty if the bundle has no CRL.
  std::vector<CertificateLink> chain = {};

  bool anonymous() const { return kind == Kind::kAnonymous; }
  bool hasSpiffeId() const { return kind == Kind::kX509Svid || kind == Kind::kJwtSvid; }
  std::string_view kindName() const {
    if (anonymous()) return "anonymous";
    if (kind == Kind::kJwtSvid) return "jwt-svid";
    if (hasSpiffeId()) return "x509-svid";
    return id.starts_with("dns:") ? "x509-dns" : "x509-cn";
  }
};

}  // namespace yett::identity
