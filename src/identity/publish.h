// Writes what an authority publishes: CRLs and bundle documents.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "identity/mint.h"

namespace yett::identity {

struct CrlSpec {
  int64_t this_update = 0;  ///< seconds since 1970
  int64_t next_update = 0;
};

/// A CRL (RFC 5280 section 5) as PEM: what `before` (a CRL of the same authority as PEM; "": none) lists, and these
/// certificates (PEM), which the authority must have issued.
Result<std::string> makeCrl(const KeyAndCertificate& authority, const std::vector<std::string>& certificates,
                            const std::string& before, const CrlSpec& spec);

/// A bundle document (SPIFFE Trust Domain and Bundle, section 4) of the authorities in a PEM file.
Result<std::string> bundleDocument(const std::string& pem, int64_t sequence, int64_t refresh_seconds);

}  // namespace yett::identity
