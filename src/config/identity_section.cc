#include "base/file.h"
#include "config/sections.h"
#include "identity/spiffe_id.h"

namespace yett::config {

void readIdentity(ObjectReader& in, const std::string& file, identity::IdentityConfig& out) {
  in.object("svid", [&](ObjectReader& svid) {
    svid.requiredText("certificate", out.certificate);
    svid.requiredText("private_key", out.private_key);
    out.certificate = base::relativeTo(file, out.certificate);
    out.private_key = base::relativeTo(file, out.private_key);
  });
  in.entries("trust_bundles", [&](const std::string& domain, const std::string& path) {
    if (!identity::isTrustDomain(domain)) in.problem("trust_bundles", "`" + domain + "` is not a trust domain");
    out.trust_bundles[domain] = base::relativeTo(file, path);
  });
}

}  // namespace yett::config
