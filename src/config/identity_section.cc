#include <cstdlib>

#include "base/file.h"
#include "base/text.h"
#include "config/sections.h"
#include "identity/principal_id.h"
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

void readCrl(ObjectReader& in, const std::string& file, identity::BundleConfig& out) {
  in.text("crl", out.crl);
  if (!out.crl.empty()) out.crl = base::relativeTo(file, out.crl);
  in.flag("crl_required", out.crl_required);
  if (out.crl_required && out.crl.empty()) in.problem("crl_required", "needs `crl`: the file of the CRLs");
}

// `by_api`: the Workload API may give the bundle.
void readBundle(ObjectReader& in, const std::string& file, bool by_api, identity::BundleConfig& out) {
  readEndpoint(in, file, out);
  if (out.endpoint.empty() && !(by_api && in.has("crl"))) in.requiredText("file", out.file);
  else in.text("file", out.file);
  if (!out.file.empty()) out.file = base::relativeTo(file, out.file);
  readCrl(in, file, out);
}

// Callers without a SPIFFE ID: their CAs stand beside the trust domains.
void readNamed(ObjectReader& in, const std::string& file, identity::IdentityConfig& out) {
  const auto read = [&](const std::string& name, ObjectReader& entry) {
    if (!identity::isTrustDomain(name))
      in.problem("x509_principals", "`" + name + "` is not a name of a-z, 0-9, `.`, `-`, `_`");
    size_t from = 0;
    if (!entry.has("from")) entry.problem("", "`from` is missing: where the caller's name is, `dns` or `cn`");
    entry.choice("from", {"dns", "cn"}, from);
    auto& bundle = out.trust_bundles[std::string(from == 0 ? identity::kByDns : identity::kByCommonName) + name];
    entry.requiredText("ca", bundle.file);
    bundle.file = base::relativeTo(file, bundle.file);
    readCrl(entry, file, bundle);
  };
  in.entries(
      "x509_principals",
      [&](const std::string& name, const std::string&) {
        in.problem("x509_principals", "`" + name + "` is not an object with `ca` and `from`");
      },
      read);
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

void readWorkloadApi(ObjectReader& in, identity::IdentityConfig& out) {
  constexpr std::string_view kUnix = "unix://";
  constexpr size_t kLongestSocket = 107;  // sockaddr_un
  constexpr const char* kVariable = "SPIFFE_ENDPOINT_SOCKET";
  std::string address;
  bool by_environment = false;
  in.textOrFlag("workload_api", address, by_environment);
  if (by_environment) {
    const char* named = std::getenv(kVariable);
    if (named == nullptr || *named == '\0')
      return in.problem("workload_api", std::string("is true, but the environment has no ") + kVariable);
    address = named;
  }
  if (!address.empty()) {
    // SPIFFE Workload Endpoint, section 4: "unix:///path", and "unix:/path" is the same URI.
    std::string_view path = address;
    if (path.starts_with(kUnix)) path.remove_prefix(kUnix.size());
    else if (path.starts_with("unix:")) path.remove_prefix(5);
    if (path.size() == address.size() || !path.starts_with('/'))
      return in.problem("workload_api",
                        "`" + base::printable(address) + "` is not \"unix:///\" and the path of a socket");
    if (path.size() > kLongestSocket)
      return in.problem("workload_api",
                        "the path of a socket has at most " + std::to_string(kLongestSocket) + " bytes");
    out.workload_api = path;
  }
  in.text("spiffe_id", out.spiffe_id);
  if (out.spiffe_id.empty()) return;
  if (out.workload_api.empty()) in.problem("spiffe_id", "chooses among what `workload_api` gives, which is missing");
  if (const auto id = identity::SpiffeId::parse(out.spiffe_id); !id) in.problem("spiffe_id", id.error().message);
}

}  // namespace

void readIdentity(ObjectReader& in, const std::string& file, identity::IdentityConfig& out) {
  readWorkloadApi(in, out);
  if (!out.workload_api.empty() && in.has("svid"))
    in.problem("svid", "`workload_api` gives the SVID: configure one of them");
  in.object("svid", [&](ObjectReader& svid) {
    svid.requiredText("certificate", out.certificate);
    svid.requiredText("private_key", out.private_key);
    out.certificate = base::relativeTo(file, out.certificate);
    out.private_key = base::relativeTo(file, out.private_key);
  });
  in.text("unsafe_tls_key_log", out.unsafe_key_log);
  if (!out.unsafe_key_log.empty()) out.unsafe_key_log = base::relativeTo(file, out.unsafe_key_log);
  const auto known = [&](const std::string& domain) -> identity::BundleConfig& {
    if (!identity::isTrustDomain(domain)) in.problem("trust_bundles", "`" + domain + "` is not a trust domain");
    return out.trust_bundles[domain];
  };
  in.entries(
      "trust_bundles",
      [&](const std::string& domain, const std::string& path) { known(domain).file = base::relativeTo(file, path); },
      [&](const std::string& domain, ObjectReader& bundle) {
        readBundle(bundle, file, !out.workload_api.empty(), known(domain));
      });
  checkAuthorities(in, out);
  readNamed(in, file, out);
}

}  // namespace yett::config
