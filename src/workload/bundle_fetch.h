// Fetches a trust bundle from its endpoint (SPIFFE Federation, section 5): once, blocking.
#pragma once

#include <string>

#include "base/result.h"
#include "identity/identity_config.h"
#include "identity/trust_bundle.h"

namespace yett::workload {

/// The bundle document, as text that identity::readBundle() reads, or the key set. `bundle`: for https_spiffe, the
/// bundle of the endpoint's trust domain, with its CRL; the server must present the SVID of `endpoint_spiffe_id`. For
/// https_web the server's name is verified, with `ca` or the system's authorities. Follows no redirects. `timeout`
/// limits each step, so a server that trickles can take longer.
Result<std::string> fetchBundle(const identity::BundleConfig& config, const identity::TrustBundles::Source& bundle);

}  // namespace yett::workload
