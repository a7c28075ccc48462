// Describes Yett's own certificate for people and metrics: its identity, its validity and whether it is trusted.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

struct OwnCertificate {
  std::string spiffe_id;   ///< "" if it has none
  int64_t not_before = 0;  ///< seconds since 1970; the latest notBefore in the file
  int64_t not_after = 0;   ///< seconds since 1970; the earliest notAfter in the file
  size_t certificates = 0;
  /// Why callers with `bundles` would not accept it now; "" if they would, or if its trust domain has no bundle.
  std::string doubt;
};

/// Reads a PEM file that begins with the leaf. `now`: seconds since 1970.
Result<OwnCertificate> readOwnCertificate(const std::string& pem, const TrustBundles& bundles, int64_t now);

/// "for 12 days", "for 5 hours", "no longer (expired 3 days ago)".
std::string validFor(int64_t not_after, int64_t now);

}  // namespace yett::identity
