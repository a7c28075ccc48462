#include "identity/trust_bundle.h"

#include "base/sha256.h"
#include "base/text.h"
#include "identity/openssl_error.h"
#include "identity/principal_id.h"
#include "identity/spiffe_id.h"

namespace yett::identity {
namespace {

Result<TrustBundles::Bundle> bundleOf(const TrustBundles::Source& source, int64_t now) {
  auto content = TRY(readBundle(source.text));
  TrustBundles::Bundle out;
  out.all.reset(X509_STORE_new());
  std::map<std::string, std::vector<X509*>> by_name;
  for (const auto& cert : content.authorities) {
    if (X509_STORE_add_cert(out.all.get(), cert.get()) != 1) return Error{opensslError()};
    if (!out.anchors.insert(certificateDigest(cert.get())).second) continue;
    by_name[std::to_string(X509_NAME_hash_ex(X509_get_subject_name(cert.get()), nullptr, nullptr, nullptr))].push_back(
        cert.get());
  }
  for (const auto& [name, same] : by_name) {
    if (same.size() < 2) continue;
    for (X509* cert : same) {
      X509_STORE_add_cert(out.namesakes.emplace_back(X509_STORE_new()).get(), cert);
    }
  }
  if (source.crl) {
    auto read = Revocations::read(*source.crl, content.authorities, now);
    if (!read) return std::move(read).error().within("its CRL");
    out.revocations = std::move(read).value();
  }
  out.crl_required = source.crl_required;
  out.text_digest = base::sha256Hex(source.text);
  const auto authorities =
      source.jwt_keys.empty() ? std::move(content.jwt_authorities) : TRY(readJwtAuthorities(source.jwt_keys));
  for (const auto& authority : authorities) {
    auto key = readJwk(authority.jwk, "jwt-svid");
    if (key && key.value()) out.jwt_keys.push_back(*std::move(key).value());
  }
  out.sequence = content.sequence;
  return out;
}

}  // namespace

std::string certificateDigest(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  const auto hash =
      base::Sha256Hasher().update({reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0}).finish();
  OPENSSL_free(der);
  return std::string(base::view(hash));
}

std::string digestOf(const TrustBundles::Source& source) {
  return base::sha256Hex(source.text + '\0' + source.crl.value_or("") + '\0' + (source.crl ? "crl" : "") +
                         (source.crl_required ? "required" : "") + '\0' + source.jwt_keys +
                         (source.awaited ? "awaited" : ""));
}

Result<std::shared_ptr<const TrustBundles::Bundle>> TrustBundles::read(const std::string& domain, const Source& source,
                                                                       int64_t now) {
  if (!isNamingAuthority(domain) && !isTrustDomain(domain)) return Error{"`" + domain + "` is not a trust domain"};
  if (!source.problem.empty()) return Error{"bundle of " + domain + ": " + source.problem};
  auto bundle = bundleOf(source, now);
  if (!bundle) return std::move(bundle).error().within("bundle of " + domain);
  bundle.value().digest = digestOf(source);
  return std::make_shared<const Bundle>(std::move(bundle).value());
}

void TrustBundles::add(const std::string& domain, const Source& source, std::shared_ptr<const Bundle> bundle) {
  naming_ = naming_ || isNamingAuthority(domain);
  if (source.awaited) awaited_.insert(domain);
  more_awaited_ = more_awaited_ || (source.awaited && !source.text.empty());
  if (bundle) bundles_.emplace(domain, std::move(bundle));
}

void TrustBundles::digestAll() {
  base::Sha256Hasher hasher;
  for (const auto& [domain, bundle] : bundles_)
    hasher.update(domain).update({"\0", 1}).update(bundle->digest).update({"\0", 1});
  for (const auto& domain : awaited_) hasher.update(domain).update({"\0", 1});
  const auto hash = hasher.finish();
  digest_ = base::sha256Hex(base::view(hash));
}

static bool isUnknown(const TrustBundles::Source& source) {
  return source.awaited && source.text.empty() && source.problem.empty();
}

Result<TrustBundles> TrustBundles::create(const Sources& sources, int64_t now) {
  TrustBundles out;
  std::vector<std::string> refused;
  for (const auto& [domain, source] : sources) {
    if (isUnknown(source)) {
      out.add(domain, source, nullptr);
      continue;
    }
    auto bundle = read(domain, source, now);
    if (bundle) out.add(domain, source, std::move(bundle).value());
    else refused.push_back(bundle.error().message);
  }
  if (!refused.empty()) return Error{base::joined(refused, "; ")};
  out.digestAll();
  return out;
}

TrustBundles TrustBundles::renew(const Sources& sources, int64_t now, const TrustBundles& before,
                                 const Objection& objection, std::vector<std::string>& refused) {
  TrustBundles out;
  for (const auto& [domain, source] : sources) {
    if (isUnknown(source)) {
      out.add(domain, source, nullptr);
      continue;
    }
    const auto known = before.bundles_.find(domain);
    auto bundle = read(domain, source, now);
    std::string why = bundle ? "" : bundle.error().message;
    if (bundle && known != before.bundles_.end()) why = objection(domain, *bundle.value(), *known->second);
    if (why.empty()) {
      out.add(domain, source, std::move(bundle).value());
      continue;
    }
    refused.push_back(why);
    out.add(domain, source, known != before.bundles_.end() ? known->second : nullptr);
  }
  out.digestAll();
  return out;
}

bool TrustBundles::awaits(std::string_view trust_domain) const {
  return awaited_.contains(trust_domain) || (more_awaited_ && !bundles_.contains(trust_domain));
}

const TrustBundles::Bundle* TrustBundles::find(std::string_view trust_domain) const {
  const auto it = bundles_.find(trust_domain);
  return it == bundles_.end() ? nullptr : it->second.get();
}

}  // namespace yett::identity
