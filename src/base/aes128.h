// AES-128 on single blocks (FIPS 197). It derives many numbers from one seed; each number can be disclosed without
// revealing the seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace yett::base {

inline constexpr size_t kAesBlock = 16;

class Aes128 {
 public:
  Aes128();
  ~Aes128();
  Aes128(Aes128&&) noexcept;
  Aes128& operator=(Aes128&&) noexcept;
  /// REQUIRES: 16 bytes.
  void setKey(std::string_view key);
  /// Encrypts the numbers first, first + 1, ... as 16-byte big-endian blocks into `out`, which has room for `count` of
  /// them. Returns false if OpenSSL fails. REQUIRES: setKey().
  bool numbers(uint64_t first, size_t count, char* out);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace yett::base
