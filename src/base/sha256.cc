#include "base/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/text.h"

namespace yett::base {

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex(context_, EVP_sha256(), nullptr);
}
Sha256Hasher::~Sha256Hasher() {
  EVP_MD_CTX_free(context_);
}

Sha256Hasher& Sha256Hasher::update(std::string_view bytes) {
  EVP_DigestUpdate(context_, bytes.data(), bytes.size());
  return *this;
}

Sha256 Sha256Hasher::finish() {
  Sha256 out;
  EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(out.data()), nullptr);
  EVP_DigestInit_ex(context_, nullptr, nullptr);
  return out;
}

Sha256 hmacSha256(std::string_view key, std::string_view bytes) {
  Sha256 out;
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(bytes.data()),
       bytes.size(), reinterpret_cast<unsigned char*>(out.data()), &size);
  return out;
}

std::string sha256Hex(std::string_view bytes) {
  return hex(view(Sha256Hasher().update(bytes).finish()));
}

}  // namespace yett::base
