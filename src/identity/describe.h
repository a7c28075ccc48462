// Describes certificates, CRLs and bundles for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "identity/trust_bundle.h"

namespace yett::identity {

/// What is in a file: PEM blocks (certificates and CRLs; keys are only named) or a bundle document. Lines of text.
Result<std::string> describeFile(std::string_view text, int64_t now);

/// What Yett would think of a caller with the certificates of this PEM file, the leaf first: "accepted as ..., until
/// ...", or "refused: ..." with the reason.
Result<std::string> verdictOn(std::string_view pem, const TrustBundles& bundles, int64_t now);

}  // namespace yett::identity
