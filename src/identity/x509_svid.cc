#include "identity/x509_svid.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "base/sha256.h"
#include "base/text.h"
#include "identity/named_principal.h"
#include "identity/principal_id.h"

namespace yett::identity {
namespace {

// 112 bits: no RSA key below 2048, and below the trust anchor no signature by MD5 or SHA-1 (RFC 8446 4.4.2.4).
constexpr int kSecurityLevel = 2;

int64_t toSeconds(const ASN1_TIME* time) {
  tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<int64_t>(timegm(&parts)) : 0;
}

// `out` has the caller's id.
Principal makePrincipal(Principal out, X509* leaf, STACK_OF(X509) * verified, bool with_links) {
  out.certificate_sha256 = base::hex(certificateDigest(leaf));
  out.expires = INT64_MAX;
  const int size = sk_X509_num(verified);
  for (int i = 0; i < size; ++i) {
    const X509* cert = sk_X509_value(verified, i);
    out.expires = std::min(out.expires, toSeconds(X509_get0_notAfter(cert)));
    out.valid_from = std::max(out.valid_from, toSeconds(X509_get0_notBefore(cert)));
  }
  out.anchor_sha256 = certificateDigest(sk_X509_value(verified, size - 1));
  if (with_links) {
    for (int i = 0; i + 1 < size; ++i)
      out.chain.push_back(linkOf(sk_X509_value(verified, i), sk_X509_value(verified, i + 1)));
  }
  return out;
}

// Why a verified chain is refused all the same; "" if it is not.
std::string refusalBy(const TrustBundles::Bundle& bundle, const Principal& principal, int64_t now) {
  if (!bundle.revocations) return bundle.crl_required ? "there is no CRL" : "";
  if (bundle.revocations->revoked(principal.chain)) return "the certificate, or one of its chain, was revoked";
  if (!bundle.crl_required) return "";
  const int64_t until = bundle.revocations->currentUntil(principal.chain);
  return until == 0 ? "there is no CRL of one of its issuers" : until <= now ? "the CRL has expired" : "";
}

// Verifies with the anchors of one store. An error is OpenSSL's message in lower case.
Result<Principal> verifyWith(X509_STORE* store, X509* leaf, STACK_OF(X509) * chain, const Principal& id, int64_t now,
                             bool with_links, Role role) {
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  if (!context || X509_STORE_CTX_init(context.get(), store, leaf, chain) != 1) return Error{"cannot be verified"};
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(now));
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_purpose(param, role == Role::kClient ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
  X509_VERIFY_PARAM_set_depth(param, 8);
  X509_VERIFY_PARAM_set_auth_level(param, kSecurityLevel);
  if (X509_verify_cert(context.get()) != 1)
    return Error{base::lowered(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())))};
  return makePrincipal(id, leaf, X509_STORE_CTX_get0_chain(context.get()), with_links);
}

}  // namespace

Result<SpiffeId> leafId(X509* leaf) {
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)), GENERAL_NAMES_free);
  std::string_view uri;
  int uris = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    ++uris;
    const ASN1_IA5STRING* value = name->d.uniformResourceIdentifier;
    uri = {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), static_cast<size_t>(ASN1_STRING_length(value))};
  }
  if (uris != 1)
    return Error{"the certificate has " + std::to_string(uris) + " URI SANs, an X.509-SVID has exactly one"};
  SpiffeId id = TRY(SpiffeId::parse(uri));
  const std::string who = "the certificate of `" + id.text() + "`";
  if (id.path().empty()) return Error{who + " names a trust domain, not a workload"};
  const uint32_t flags = X509_get_extension_flags(leaf);
  if ((flags & EXFLAG_INVALID) != 0) return Error{who + " has malformed extensions"};
  if ((flags & EXFLAG_CA) != 0) return Error{who + " is a CA certificate"};
  const uint32_t usage = X509_get_key_usage(leaf);  // all bits set if the extension is missing
  if ((flags & EXFLAG_KUSAGE) == 0 || (usage & KU_DIGITAL_SIGNATURE) == 0)
    return Error{who + " lacks the key usage digitalSignature"};
  if ((usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0) return Error{who + " has the key usage of a CA"};
  return id;
}

Result<Principal> verifyCaller(X509* leaf, STACK_OF(X509) * chain, const std::string& id,
                               const TrustBundles::Bundle& bundle, int64_t now, Role role) {
  const Principal named = TRY(principalWithId(id));
  const bool with_links = bundle.revocations.has_value();
  auto out = verifyWith(bundle.all.get(), leaf, chain, named, now, with_links, role);
  for (const auto& store : bundle.namesakes) {
    if (out) break;
    auto other = verifyWith(store.get(), leaf, chain, named, now, with_links, role);
    if (other) out = std::move(other);
  }
  if (!out) return out;
  if (const std::string why = refusalBy(bundle, out.value(), now); !why.empty()) return Error{why};
  return out;
}

Result<Principal> verifySvid(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now, Role role) {
  const SpiffeId id = TRY(leafId(leaf));
  const std::string who = "the certificate of `" + id.text() + "`";
  const TrustBundles::Bundle* bundle = bundles.find(id.trustDomain());
  if (bundle == nullptr)
    return Error{who + ": no trust bundle for trust domain `" + std::string(id.trustDomain()) + "`"};
  auto out = verifyCaller(leaf, chain, id.text(), *bundle, now, role);
  if (!out) return std::move(out).error().within(who);
  return out;
}

Result<Principal> verifyPeer(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now) {
  const bool named = bundles.hasNamingAuthority() && !hasUri(leaf);
  return named ? verifyNamed(leaf, chain, bundles, now) : verifySvid(leaf, chain, bundles, now);
}

std::optional<int64_t> trustedUntil(const Principal& principal, const TrustBundles& bundles, int64_t now) {
  const auto* bundle = bundles.find(principal.trust_domain);
  if (bundle == nullptr || now >= principal.expires) return 0;
  if (!bundle->anchors.contains(principal.anchor_sha256)) return std::nullopt;
  // A bundle that had no CRL when the caller was verified: its chain is not known any more.
  if (bundle->revocations && principal.chain.empty()) return std::nullopt;
  if (!refusalBy(*bundle, principal, now).empty()) return 0;
  if (!bundle->crl_required) return principal.expires;
  return std::min(principal.expires, bundle->revocations->currentUntil(principal.chain));
}

}  // namespace yett::identity
