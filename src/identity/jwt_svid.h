// JWT-SVIDs (SPIFFE JWT-SVID standard): a workload's identity as a token.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "identity/jwt.h"
#include "identity/spiffe_id.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

/// Verifies a JWT-SVID with the keys of the bundle of its own trust domain (sections 3 and 4 of the standard): RS, PS
/// and ES algorithms only, `sub` is the SPIFFE ID of a workload, `aud` has one of `audiences`, `exp` is there. The
/// subject of the result is the SPIFFE ID.
JwtResult verifyJwtSvid(std::string_view token, const std::vector<std::string>& audiences, const TrustBundles& bundles,
                        int64_t clock_skew, int64_t now);

}  // namespace yett::identity
