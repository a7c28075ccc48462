// X.509-SVIDs (SPIFFE X509-SVID standard): from a peer's certificate to a Principal, or the reason why not.
#pragma once

#include <openssl/x509.h>

#include "base/result.h"
#include "identity/principal.h"
#include "identity/spiffe_id.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

/// The SPIFFE ID of a leaf: exactly one URI SAN (section 2), no NUL in it, a path; not a CA, digitalSignature set,
/// keyCertSign and cRLSign not (section 4.3 and 5.2).
Result<SpiffeId> leafId(X509* leaf);

/// Verifies a chain against the bundle of the leaf's own trust domain and of no other (section 5.1), for client
/// authentication, at `now` (seconds since 1970), with keys and signatures of 112 bits at least. `chain` may be null.
Result<Principal> verifySvid(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now);

}  // namespace yett::identity
