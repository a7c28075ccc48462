#include "base/file.h"
#include "config/sections.h"
#include "identity/spiffe_id.h"

namespace yett::config {
namespace {

void readEndpoint(ObjectReader& in, const std::string& file, identity::BundleConfig& out) {
  in.text("bundle_endpoint", out.endpoint);
  if (out.endpoint.empty()) return;
  if (!out.endpoint.starts_with("https://") || out.endpoint.size() == 8)
    in.problem("bundle_endpoint", "is not an https URL");
  size_t profile = 0;
  in.choice("profile", {"https_web", "https_spiffe"}, profile);
  in.text("endpoint_spiffe_id", out.endpoint_spiffe_id);
  in.text("ca", out.ca);
  if (!out.ca.empty()) out.ca = base::relativeTo(file, out.ca);
  if (profile == 0 && !out.endpoint_spiffe_id.empty())
    in.problem("endpoint_spiffe_id", "is for the profile `https_spiffe`");
  if (profile == 1 && !out.ca.empty()) in.problem("ca", "is for the profile `https_web`");
  if (profile == 1) {
    const auto id = identity::SpiffeId::parse(out.endpoint_spiffe_id);
    if (!id) in.problem("endpoint_spiffe_id", "must be the SPIFFE ID of the endpoint: " + id.error().message);
  }
  in.duration("timeout", out.timeout);
  in.duration("max_stale", out.max_stale);
}

void readBundle(ObjectReader& in, const std::string& file, identity::BundleConfig& out) {
  readEndpoint(in, file, out);
  if (out.endpoint.empty()) in.requiredText("file", out.file);
  else in.text("file", out.file);
  if (!out.file.empty()) out.file = base::relativeTo(file, out.file);
  in.text("crl", out.crl);
  if (!out.crl.empty()) out.crl = base::relativeTo(file, out.crl);
  in.flag("crl_required", out.crl_required);
  if (out.crl_required && out.crl.empty()) in.problem("crl_required", "needs `crl`: the file of the CRLs");
}

// Who vouches for a server by https_spiffe: the bundle of its trust domain, which must come from elsewhere at first.
void checkAuthorities(ObjectReader& in, const identity::IdentityConfig& out) {
  for (const auto& [domain, bundle] : out.trust_bundles) {
    const auto id = identity::SpiffeId::parse(bundle.endpoint_spiffe_id);
    if (bundle.endpoint_spiffe_id.empty() || !id) continue;
    const auto authority = out.trust_bundles.find(std::string(id.value().trustDomain()));
    if (authority == out.trust_bundles.end() || authority->second.file.empty())
      in.problem("trust_bundles", "the endpoint of " + domain + " is verified with the bundle of " +
                                      std::string(id.value().trustDomain()) + ": give that one a `file`");
  }
}

}  // namespace

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
      [&](const std::string& domain, ObjectReader& bundle) { readBundle(bundle, file, known(domain)); });
  checkAuthorities(in, out);
}

}  // namespace yett::config
