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
  const auto known = [&](const std::string& domain) -> identity::BundleConfig& {
    if (!identity::isTrustDomain(domain)) in.problem("trust_bundles", "`" + domain + "` is not a trust domain");
    return out.trust_bundles[domain];
  };
  in.entries(
      "trust_bundles",
      [&](const std::string& domain, const std::string& path) { known(domain).file = base::relativeTo(file, path); },
      [&](const std::string& domain, ObjectReader& bundle) {
        auto& to = known(domain);
        bundle.requiredText("file", to.file);
        to.file = base::relativeTo(file, to.file);
        bundle.text("crl", to.crl);
        if (!to.crl.empty()) to.crl = base::relativeTo(file, to.crl);
        bundle.flag("crl_required", to.crl_required);
        if (to.crl_required && to.crl.empty()) bundle.problem("crl_required", "needs `crl`: the file of the CRLs");
      });
}

}  // namespace yett::config
