#include "workload/given.h"

#include <algorithm>
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

std::string quoted(std::string_view text) {
  constexpr size_t kShown = 100;
  return "`" + base::printable(text.substr(0, kShown)) + (text.size() > kShown ? "..." : "") + "`";
}

// Takes over what `check` accepts; a domain whose bundle is refused keeps the one it had.
void merge(const BundlesAnswer& answer, std::map<std::string, std::string>& into, ProblemList& problems,
           const std::function<Result<std::string>(const std::string&)>& check) {
  std::map<std::string, std::string> next;
  for (const auto& [domain, bytes] : answer) {
    auto text = identity::isTrustDomain(domain) ? check(bytes) : Result<std::string>(Error{"not a trust domain"});
    if (text) {
      next[domain] = std::move(text).value();
      continue;
    }
    problems.add("the bundle of " + quoted(domain) + ": " + text.error().message);
    if (const auto known = into.find(domain); known != into.end()) next[domain] = known->second;
  }
  into = std::move(next);
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

// What is wrong with an SVID.
Status check(const X509Svid& svid) {
  const auto id = TRY(identity::SpiffeId::parse(svid.spiffe_id));
  if (svid.chain.empty()) return Error{"it has no certificate"};
  TRY(identity::certificatesToPem(svid.chain));
  const auto proven = TRY(identity::firstIdIn(svid.chain));
  if (proven.text() != id.text()) return Error{"its certificate is that of " + proven.text()};
  if (!identity::isKeyOf(svid.key, svid.chain)) return Error{"its key does not match its certificate"};
  auto authorities = authoritiesOf(svid.bundle);
  if (!authorities) return std::move(authorities).error().within("its bundle");
  return {};
}

}  // namespace

Status Given::take(const X509SvidAnswer& answer) {
  constexpr size_t kMostSvids = 64;
  if (answer.svids.empty()) return Error{"the answer has no SVID"};
  if (answer.svids.size() > kMostSvids)
    return Error{"the answer has more than " + std::to_string(kMostSvids) + " SVIDs"};
  BundlesAnswer bundles = answer.federated;
  std::set<std::string> own_domains;
  for (const auto& svid : answer.svids) {
    auto sound = check(svid);
    if (!sound) return std::move(sound).error().within("the SVID of " + quoted(svid.spiffe_id));
    const std::string domain(TRY(identity::SpiffeId::parse(svid.spiffe_id)).trustDomain());
    own_domains.insert(domain);
    bundles[domain] = svid.bundle;
  }
  ids_.clear();
  if (svids_.size() > kMostSvids) svids_.clear();  // an agent that gives ever new ones
  for (const auto& svid : answer.svids) {
    ids_.push_back(svid.spiffe_id);
    svids_[svid.spiffe_id] = {TRY(identity::certificatesToPem(svid.chain)),
                              identity::pemBlock("PRIVATE KEY", svid.key)};
  }
  // The order of several says nothing, so the one that was used stays, while it is given.
  if (std::find(ids_.begin(), ids_.end(), default_) == ids_.end()) default_ = ids_.front();
  ProblemList problems;
  merge(bundles, bundles_, problems, authoritiesOf);
  takeCrls(answer, own_domains, problems);
  return problems.outcome();
}

// CRLs that cannot be used leave those that were there.
void Given::takeCrls(const X509SvidAnswer& answer, const std::set<std::string>& domains, ProblemList& problems) {
  std::string text;
  for (const auto& crl : answer.crls) {
    if (!crl.empty()) text += identity::pemBlock("X509 CRL", crl);
  }
  Texts next;
  for (const auto& domain : domains) {
    if (text.empty()) continue;
    identity::TrustBundles::Source source(bundles_[domain]);
    source.crl = text;
    auto usable = identity::TrustBundles::create({{domain, source}}, base::wallMicros() / 1'000'000);
    if (usable) {
      next[domain] = text;
      continue;
    }
    problems.add(usable.error().message);
    if (const auto known = crls_.find(domain); known != crls_.end()) next[domain] = known->second;
  }
  crls_ = std::move(next);
}

Status Given::takeBundles(const BundlesAnswer& answer) {
  ProblemList problems;
  merge(answer, bundles_, problems, authoritiesOf);
  return problems.outcome();
}

Status Given::takeJwtBundles(const BundlesAnswer& answer) {
  ProblemList problems;
  merge(answer, jwt_bundles_, problems, keysOf);
  jwt_known_ = true;
  return problems.outcome();
}

Result<identity::OwnSvid> Given::svid(const std::string& spiffe_id) const {
  if (ids_.empty()) return Error{"no SVID yet"};
  const auto found = svids_.find(spiffe_id.empty() ? default_ : spiffe_id);
  if (found != svids_.end()) return found->second;
  return Error{"the Workload API gives " + base::joined(ids_, ", ") + ", but not " + spiffe_id +
               " (`identity.spiffe_id`)"};
}

identity::TrustBundles::Sources Given::bundles() const {
  identity::TrustBundles::Sources out;
  for (const auto& [domain, text] : bundles_) out[domain].text = text;
  for (const auto& [domain, keys] : jwt_bundles_) {
    auto& source = out[domain];
    if (source.text.empty()) source.text = kNoAuthorities;
    source.jwt_keys = keys;
  }
  for (auto& [domain, source] : out) source.awaited = !jwt_known_;
  for (const auto& [domain, crl] : crls_) {
    if (const auto known = out.find(domain); known != out.end()) known->second.crl = crl;
  }
  return out;
}

}  // namespace yett::workload
