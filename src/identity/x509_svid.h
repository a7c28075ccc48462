// X.509-SVIDs (SPIFFE X509-SVID standard): turns a peer's certificate into a Principal, or an error that says why not.
#pragma once

#include <openssl/x509.h>

#include <optional>

#include "base/result.h"
#include "identity/principal.h"
#include "identity/spiffe_id.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

/// The SPIFFE ID of a leaf: exactly one URI SAN (section 2), no NUL in it, a path; not a CA, digitalSignature set,
/// keyCertSign and cRLSign not (section 4.3 and 5.2).
Result<SpiffeId> leafId(X509* leaf);

/// Until when (seconds since 1970) a caller that was verified before is trusted with these bundles: until its chain
/// ends, or a CRL that is required. 0: it is not, since its domain has no bundle, it was revoked, or there is no
/// current CRL. Nothing: its trust anchor is gone, so whether another one vouches for it must be verified.
std::optional<int64_t> trustedUntil(const Principal& principal, const TrustBundles& bundles, int64_t now);

/// What the peer uses its certificate for.
enum class Role { kClient, kServer };

/// Verifies a chain for client (or server) authentication at `now` against one bundle, requiring keys and signatures of
/// at least 112 bits, and that nothing of it was revoked. The principal gets this `id`. Errors do not name the caller.
Result<Principal> verifyCaller(X509* leaf, STACK_OF(X509) * chain, const std::string& id,
                               const TrustBundles::Bundle& bundle, int64_t now, Role role = Role::kClient);

/// The principal of a caller's leaf: by its SPIFFE ID, or, if it has no URI SAN and the bundles have authorities for
/// such callers, by verifyNamed().
Result<Principal> verifyPeer(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now);

/// Verifies a chain for client (or server) authentication at `now` (seconds since 1970), only against the bundle of the
/// leaf's own trust domain (section 5.1), requiring keys and signatures of at least 112 bits. `chain` may be null.
Result<Principal> verifySvid(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now,
                             Role role = Role::kClient);

}  // namespace yett::identity
