#include "identity/x509_svid.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "base/sha256.h"
#include "base/text.h"

namespace yett::identity {
namespace {

int64_t toSeconds(const ASN1_TIME* time) {
  tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<int64_t>(timegm(&parts)) : 0;
}

Principal makePrincipal(X509* leaf, const SpiffeId& id, int64_t expires) {
  Principal out;
  out.kind = Principal::Kind::kX509Svid;
  out.id = id.text();
  out.trust_domain = id.trustDomain();
  out.path = id.path();
  out.expires = expires;
  unsigned char* der = nullptr;
  const int size = i2d_X509(leaf, &der);
  if (size > 0) out.certificate_sha256 = base::sha256Hex({reinterpret_cast<char*>(der), static_cast<size_t>(size)});
  OPENSSL_free(der);
  return out;
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
  const uint32_t usage = X509_get_key_usage(leaf);  // all bits where the extension is missing
  if ((flags & EXFLAG_KUSAGE) == 0 || (usage & KU_DIGITAL_SIGNATURE) == 0)
    return Error{who + " has no key usage digitalSignature"};
  if ((usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0) return Error{who + " has the key usage of a CA"};
  return id;
}

Result<Principal> verifySvid(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now) {
  SpiffeId id = TRY(leafId(leaf));
  const std::string who = "the certificate of `" + id.text() + "`: ";
  X509_STORE* store = bundles.find(id.trustDomain());
  if (store == nullptr) return Error{who + "no trust bundle for trust domain `" + std::string(id.trustDomain()) + "`"};
  const std::unique_ptr<X509_STORE_CTX, decltype(&X509_STORE_CTX_free)> context(X509_STORE_CTX_new(),
                                                                                X509_STORE_CTX_free);
  if (!context || X509_STORE_CTX_init(context.get(), store, leaf, chain) != 1) return Error{who + "cannot be verified"};
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(param, static_cast<time_t>(now));
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT);
  X509_VERIFY_PARAM_set_depth(param, 8);
  if (X509_verify_cert(context.get()) != 1) {
    return Error{who + base::lowered(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get())))};
  }
  int64_t expires = INT64_MAX;
  STACK_OF(X509)* verified = X509_STORE_CTX_get0_chain(context.get());
  for (int i = 0; i < sk_X509_num(verified); ++i)
    expires = std::min(expires, toSeconds(X509_get0_notAfter(sk_X509_value(verified, i))));
  return makePrincipal(leaf, id, expires);
}

Result<Principal> reviewSvid(X509* leaf, STACK_OF(X509) * chain, int64_t now) {
  SpiffeId id = TRY(leafId(leaf));
  int64_t expires = toSeconds(X509_get0_notAfter(leaf));
  for (int i = 0; i < sk_X509_num(chain); ++i)
    expires = std::min(expires, toSeconds(X509_get0_notAfter(sk_X509_value(chain, i))));
  if (now > expires)
    return Error{"the certificate of `" + id.text() + "`: certificate has expired since the session began"};
  return makePrincipal(leaf, id, expires);
}

}  // namespace yett::identity
