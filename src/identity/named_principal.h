// Callers without a SPIFFE ID (principal_id.h): a certificate of a CA that is configured for them, and a name in it.
#pragma once

#include <openssl/x509.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "identity/principal.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

/// Whether the certificate has a URI SAN, in which case it is never a caller of this kind.
bool hasUri(X509* leaf);

/// The caller's name: of exactly one DNS SAN in lower case, or of exactly one common name.
Result<std::string> nameIn(X509* leaf, std::string_view authority);

/// As verifySvid(), for a leaf without a URI SAN. Exactly one of the authorities must vouch for it.
Result<Principal> verifyNamed(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now);

}  // namespace yett::identity
