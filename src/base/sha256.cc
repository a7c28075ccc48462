#define OPENSSL_SUPPRESS_DEPRECATED  // SHA256_Init() and similar
#include "base/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/text.h"

namespace yett::base {

// Uses the low-level functions: EVP allocates per message (OpenSSL 3.0), too slow for three hashes per request.
static SHA256_CTX* context(std::array<char, 112>& state) {
  static_assert(sizeof(SHA256_CTX) == sizeof state && alignof(SHA256_CTX) <= 8);
  return reinterpret_cast<SHA256_CTX*>(state.data());
}

Sha256Hasher::Sha256Hasher() {
  SHA256_Init(context(state_));
}

Sha256Hasher& Sha256Hasher::update(std::string_view bytes) {
  SHA256_Update(context(state_), bytes.data(), bytes.size());
  return *this;
}

Sha256 Sha256Hasher::finish() {
  Sha256 out;
  SHA256_Final(reinterpret_cast<unsigned char*>(out.data()), context(state_));
  SHA256_Init(context(state_));
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
