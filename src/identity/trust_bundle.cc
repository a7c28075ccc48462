#include "identity/trust_bundle.h"

#include "base/sha256.h"
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
                         (source.crl_required ? "required" : "") + '\0' + source.jwt_keys);
}

Result<TrustBundles> TrustBundles::create(const Sources& sources, int64_t now) {
  TrustBundles out;
  base::Sha256Hasher hasher;
  for (const auto& [domain, source] : sources) {
    const bool naming = isNamingAuthority(domain);
    out.naming_ = out.naming_ || naming;
    if (!naming && !isTrustDomain(domain)) return Error{"`" + domain + "` is not a trust domain"};
    auto bundle = bundleOf(source, now);
    if (!bundle) return std::move(bundle).error().within("bundle of " + domain);
    bundle.value().digest = digestOf(source);
    hasher.update(domain).update({"\0", 1}).update(bundle.value().digest).update({"\0", 1});
    out.bundles_.emplace(domain, std::move(bundle).value());
  }
  const auto hash = hasher.finish();
  out.digest_ = base::sha256Hex(base::view(hash));
  return out;
}

const TrustBundles::Bundle* TrustBundles::find(std::string_view trust_domain) const {
  const auto it = bundles_.find(trust_domain);
  return it == bundles_.end() ? nullptr : &it->second;
}

}  // namespace yett::identity
