#include "base/aes128.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace yett::base {

struct Aes128::Context {
  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  bool keyed = false;
  ~Context() { EVP_CIPHER_CTX_free(cipher); }
};

Aes128::Aes128() : context_(std::make_unique<Context>()) {}
Aes128::~Aes128() = default;
Aes128::Aes128(Aes128&&) noexcept = default;
Aes128& Aes128::operator=(Aes128&&) noexcept = default;

void Aes128::setKey(std::string_view key) {
  YETT_CHECK(key.size() == kAesBlock);
  const auto* bytes = reinterpret_cast<const unsigned char*>(key.data());
  // A null cipher keeps the current one and only sets the key, at a third of the cost.
  const EVP_CIPHER* cipher = context_->keyed ? nullptr : EVP_aes_128_ecb();
  context_->keyed = context_->cipher != nullptr &&
                    EVP_EncryptInit_ex(context_->cipher, cipher, nullptr, bytes, nullptr) == 1 &&
                    EVP_CIPHER_CTX_set_padding(context_->cipher, 0) == 1;
}

bool Aes128::numbers(uint64_t first, size_t count, char* out) {
  constexpr size_t kAtOnce = 32;
  std::array<unsigned char, kAtOnce * kAesBlock> plain{};
  for (size_t at = 0; at < count; at += kAtOnce) {
    const size_t part = std::min(kAtOnce, count - at);
    for (size_t i = 0; i < part; ++i) {
      const uint64_t number = first + at + i;
      for (size_t byte = 0; byte < 8; ++byte)
        plain[i * kAesBlock + 8 + byte] = static_cast<unsigned char>(number >> (56 - 8 * byte));
    }
    int size = 0;
    const int wanted = static_cast<int>(part * kAesBlock);
    if (!context_->keyed ||
        EVP_EncryptUpdate(context_->cipher, reinterpret_cast<unsigned char*>(out + at * kAesBlock), &size, plain.data(),
                          wanted) != 1 ||
        size != wanted)
      return false;
  }
  return true;
}

}  // namespace yett::base
