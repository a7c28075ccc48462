// Fetches a trust bundle from its endpoint (SPIFFE Federation, section 5): once, blocking.
#pragma once

#include <string>

#include "base/result.h"
#include "identity/identity_config.h"

namespace yett::workload {

/// The bundle document, as text that identity::readBundle() reads. `bundle`: for https_spiffe, the bundle of the
/// endpoint's trust domain; the server must present the SVID of `endpoint_spiffe_id`. For https_web the server's name
/// is verified, with `ca` or the system's authorities. Follows no redirects.
Result<std::string> fetchBundle(const identity::BundleConfig& config, const std::string& bundle);

}  // namespace yett::workload
