// DER to PEM: what the Workload API gives, in the form that everything else reads.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "identity/spiffe_id.h"

namespace yett::identity {

/// A PEM block (RFC 7468).
std::string pemBlock(std::string_view label, std::string_view der);

/// Certificates in DER, one after the other, as blocks of PEM; "" for no bytes. Errors: one cannot be read.
Result<std::string> certificatesToPem(std::string_view der);

/// Whether the key (PKCS #8) is that of the first certificate.
bool isKeyOf(std::string_view key, std::string_view certificates);

/// The SPIFFE ID of the first certificate, as x509_svid.h reads it.
Result<SpiffeId> firstIdIn(std::string_view der);

}  // namespace yett::identity
