#include "workload/given.h"

#include <functional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "identity/bundle_content.h"
#include "identity/der.h"
#include "identity/spiffe_id.h"

namespace yett::workload {
namespace {

// Nobody is trusted.
constexpr const char* kNoAuthorities = R"({"keys":[]})";

std::string quoted(const std::string& text) {
  return "`" + base::printable(text) + "`";
}

// Takes over what `check` accepts; a domain whose bundle is refused keeps the one it had.
Status merge(const BundlesAnswer& answer, std::map<std::string, std::string>& into,
             const std::function<Result<std::string>(const std::string&)>& check) {
  std::map<std::string, std::string> next;
  std::string problems;
  for (const auto& [domain, bytes] : answer) {
    auto text = identity::isTrustDomain(domain) ? check(bytes) : Result<std::string>(Error{"not a trust domain"});
    if (text) {
      next[domain] = std::move(text).value();
      continue;
    }
    problems += (problems.empty() ? "" : "; ") + ("the bundle of " + quoted(domain) + ": " + text.error().message);
    if (const auto known = into.find(domain); known != into.end()) next[domain] = known->second;
  }
  into = std::move(next);
  if (!problems.empty()) return Error{problems};
  return {};
}

Result<std::string> authoritiesOf(const std::string& der) {
  if (der.empty()) return std::string(kNoAuthorities);
  std::string pem = TRY(identity::certificatesToPem(der));
  TRY(identity::readBundle(pem));
  return pem;
}

Result<std::string> keysOf(const std::string& text) {
  TRY(identity::readJwtAuthorities(text));
  return text;
}

}  // namespace

Status Given::take(const X509SvidAnswer& answer) {
  if (answer.svids.empty()) return Error{"the answer has no SVID"};
  std::vector<Svid> next;
  BundlesAnswer bundles = answer.federated;
  std::map<std::string, std::string> crls;
  std::set<std::string> own_domains;
  for (const auto& svid : answer.svids) {
    const auto id = identity::SpiffeId::parse(svid.spiffe_id);
    if (!id) return Error{"the SVID of " + quoted(svid.spiffe_id) + ": " + id.error().message};
    auto chain = identity::certificatesToPem(svid.chain);
    if (!chain || chain.value().empty())
      return Error{"the SVID of " + svid.spiffe_id + ": " + (chain ? "it has no certificate" : chain.error().message)};
    const auto proven = identity::firstIdIn(svid.chain);
    if (!proven) return Error{"the SVID of " + svid.spiffe_id + ": " + proven.error().message};
    if (proven.value().text() != svid.spiffe_id)
      return Error{"the SVID of " + svid.spiffe_id + ": its certificate is that of " + proven.value().text()};
    next.push_back({svid.spiffe_id, {std::move(chain).value(), identity::pemBlock("PRIVATE KEY", svid.key)}});
    const std::string domain(id.value().trustDomain());
    own_domains.insert(domain);
    bundles[domain] = svid.bundle;
    for (const auto& crl : answer.crls) {
      if (!crl.empty()) crls[domain] += identity::pemBlock("X509 CRL", crl);
    }
  }
  // An SVID and the bundle of its own domain belong together.
  for (const auto& domain : own_domains) {
    auto text = authoritiesOf(bundles[domain]);
    if (!text) return std::move(text).error().within("the bundle of `" + domain + "`");
    identity::TrustBundles::Source source(std::move(text).value());
    if (const auto crl = crls.find(domain); crl != crls.end()) source.crl = crl->second;
    TRY(identity::TrustBundles::create({{domain, source}}, base::wallMicros() / 1'000'000));
  }
  svids_ = std::move(next);
  crls_ = std::move(crls);
  return merge(bundles, with_svids_, authoritiesOf);
}

Status Given::takeBundles(const BundlesAnswer& answer) {
  if (!bundles_) bundles_ = with_svids_;
  return merge(answer, *bundles_, authoritiesOf);
}

Status Given::takeJwtBundles(const BundlesAnswer& answer) {
  return merge(answer, jwt_bundles_, keysOf);
}

Result<identity::OwnSvid> Given::svid(const std::string& spiffe_id) const {
  std::string names;
  for (const auto& one : svids_) {
    if (spiffe_id.empty() || one.spiffe_id == spiffe_id) return one.pem;
    names += (names.empty() ? "" : ", ") + one.spiffe_id;
  }
  if (svids_.empty()) return Error{"no SVID yet"};
  return Error{"the Workload API gives " + names + ", but not " + spiffe_id + " (`identity.spiffe_id`)"};
}

identity::TrustBundles::Sources Given::bundles() const {
  identity::TrustBundles::Sources out;
  for (const auto& [domain, text] : bundles_ ? *bundles_ : with_svids_) out[domain].text = text;
  for (const auto& [domain, keys] : jwt_bundles_) {
    auto& source = out[domain];
    if (source.text.empty()) source.text = kNoAuthorities;
    source.jwt_keys = keys;
  }
  for (const auto& [domain, crl] : crls_) {
    if (const auto known = out.find(domain); known != out.end()) known->second.crl = crl;
  }
  return out;
}

}  // namespace yett::workload
