// What Yett's own certificate says, for people and metrics: whom it names, until when, and who vouches for it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

struct OwnCertificate {
  std::string spiffe_id;   ///< "" if it has none
  int64_t not_before = 0;  ///< seconds since 1970, of the certificate that becomes valid last in the file
  int64_t not_after = 0;   ///< seconds since 1970, of the certificate that ends first in the file
  size_t certificates = 0;
  /// Why callers that hold `bundles` would not accept it now; "" if they would, or if no bundle is of its trust domain.
  std::string doubt;
};

/// Of a PEM file with the leaf first. `now`: seconds since 1970.
Result<OwnCertificate> readOwnCertificate(const std::string& pem, const TrustBundles& bundles, int64_t now);

/// "for 12 days", "for 5 hours", "no longer (expired 3 days ago)".
std::string validFor(int64_t not_after, int64_t now);

}  // namespace yett::identity
