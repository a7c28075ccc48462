#include "identity/der.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <memory>

#include "base/base64.h"
#include "identity/bundle_content.h"
#include "identity/x509_svid.h"

namespace yett::identity {

std::string pemBlock(std::string_view label, std::string_view der) {
  constexpr size_t kColumns = 64;
  const std::string text = base::toBase64(der);
  std::string out = "-----BEGIN " + std::string(label) + "-----\n";
  for (size_t at = 0; at < text.size(); at += kColumns) out.append(text, at, kColumns).append("\n");
  return out + "-----END " + std::string(label) + "-----\n";
}

Result<std::string> certificatesToPem(std::string_view der) {
  std::string out;
  for (int number = 1; !der.empty(); ++number) {
    const auto* from = reinterpret_cast<const unsigned char*>(der.data());
    const unsigned char* at = from;
    ERR_clear_error();
    const Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    ERR_clear_error();
    if (!certificate) return Error{"certificate " + std::to_string(number) + " cannot be read"};
    const auto size = static_cast<size_t>(at - from);
    out += pemBlock("CERTIFICATE", der.substr(0, size));
    der.remove_prefix(size);
  }
  return out;
}

bool isKeyOf(std::string_view key, std::string_view certificates) {
  const auto* from = reinterpret_cast<const unsigned char*>(certificates.data());
  const Certificate leaf(d2i_X509(nullptr, &from, static_cast<long>(certificates.size())));
  from = reinterpret_cast<const unsigned char*>(key.data());
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> parsed(
      d2i_AutoPrivateKey(nullptr, &from, static_cast<long>(key.size())), EVP_PKEY_free);
  const bool fits = leaf && parsed && X509_check_private_key(leaf.get(), parsed.get()) == 1;
  ERR_clear_error();
  return fits;
}

Result<SpiffeId> firstIdIn(std::string_view der) {
  const auto* from = reinterpret_cast<const unsigned char*>(der.data());
  const Certificate leaf(d2i_X509(nullptr, &from, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!leaf) return Error{"its certificate cannot be read"};
  return leafId(leaf.get());
}

}  // namespace yett::identity
