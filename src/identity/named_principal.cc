#include "identity/named_principal.h"

#include <openssl/x509v3.h>

#include <memory>
#include <optional>

#include "base/text.h"
#include "identity/principal_id.h"
#include "identity/x509_svid.h"

namespace yett::identity {
namespace {

std::string_view viewOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), static_cast<size_t>(ASN1_STRING_length(text))};
}

using Names = std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)>;
Names alternativeNames(X509* leaf) {
  return {static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)),
          GENERAL_NAMES_free};
}

Result<std::string> dnsName(X509* leaf) {
  const auto names = alternativeNames(leaf);
  std::string found;
  int count = 0;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    ++count;
    found = viewOf(name->d.dNSName);
  }
  if (count != 1) return Error{"the certificate has " + std::to_string(count) + " DNS SANs, exactly one is needed"};
  return base::lowered(found);
}

Result<std::string> commonName(X509* leaf) {
  const X509_NAME* subject = X509_get_subject_name(leaf);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return Error{"the certificate has no common name"};
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
    return Error{"the certificate has several common names, exactly one is needed"};
  unsigned char* text = nullptr;
  const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return Error{"the certificate's common name cannot be read"};
  std::string out(reinterpret_cast<char*>(text), static_cast<size_t>(size));
  OPENSSL_free(text);
  return out;
}

}  // namespace

bool hasUri(X509* leaf) {
  const auto names = alternativeNames(leaf);
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    if (sk_GENERAL_NAME_value(names.get(), i)->type == GEN_URI) return true;
  }
  return false;
}

Result<std::string> nameIn(X509* leaf, std::string_view authority) {
  const uint32_t flags = X509_get_extension_flags(leaf);
  if ((flags & EXFLAG_INVALID) != 0) return Error{"the certificate has malformed extensions"};
  if ((flags & EXFLAG_CA) != 0) return Error{"the certificate is that of a CA"};
  std::string name = TRY(authority.starts_with(kByDns) ? dnsName(leaf) : commonName(leaf));
  auto sound = checkName(authority, name);
  if (!sound) return Error{"the certificate's name " + sound.error().message};
  return name;
}

Result<Principal> verifyNamed(X509* leaf, STACK_OF(X509) * chain, const TrustBundles& bundles, int64_t now) {
  std::string why;
  std::optional<Principal> found;
  for (const auto& [authority, bundle] : bundles.all()) {
    if (!isNamingAuthority(authority)) continue;
    auto name = nameIn(leaf, authority);
    auto verified = name ? verifyCaller(leaf, chain, authority + "/" + name.value(), *bundle, now)
                         : Result<Principal>(std::move(name).error());
    if (!verified) {
      why += (why.empty() ? "" : "; ") + authority + ": " + verified.error().message;
    } else if (found) {
      return Error{"the certificates of `" + found->trust_domain + "` and `" + authority +
                   "` both vouch for the caller: it would have two names"};
    } else {
      found = std::move(verified).value();
    }
  }
  if (found) return *std::move(found);
  return Error{why.empty() ? "the certificate has no URI SAN, an X.509-SVID has exactly one" : why};
}

}  // namespace yett::identity
