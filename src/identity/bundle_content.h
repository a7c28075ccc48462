// What a trust bundle says, as a PEM file or as a bundle document (SPIFFE Trust Domain and Bundle, section 4): a JSON
// Web Key Set with the authorities of a trust domain.
#pragma once

#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::identity {

struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Certificate = std::unique_ptr<X509, FreeX509>;

/// A key that signs JWT-SVIDs.
struct JwtAuthority {
  std::string key_id;
  std::string jwk;  ///< the key as JSON (RFC 7517)
};

struct BundleContent {
  std::vector<Certificate> authorities;  ///< of X.509-SVIDs
  std::vector<JwtAuthority> jwt_authorities;
  bool document = false;  ///< else PEM
  std::optional<int64_t> sequence;
  int64_t refresh_seconds = 0;  ///< how often the publisher wants it to be read; 0: it does not say
};

/// A document begins with '{'. Entries without `use`, or with one that is not known, are ignored (section 4.2.2); an
/// entry for X.509-SVIDs with another number of certificates than one is an error, and so is a certificate that is not
/// a CA. A document may have no keys: then nobody is trusted.
Result<BundleContent> readBundle(std::string_view text);

/// The keys of a JWK Set for JWT-SVIDs, as the Workload API gives it: those without `use`, or with `jwt-svid`.
Result<std::vector<JwtAuthority>> readJwtAuthorities(std::string_view text);

}  // namespace yett::identity
