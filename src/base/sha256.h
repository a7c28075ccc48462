// SHA-256 (FIPS 180-4), by OpenSSL.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace yett::base {

using Sha256 = std::array<char, 32>;
inline std::string_view view(const Sha256& hash) {
  return {hash.data(), hash.size()};
}

/// Hashes messages one after the other without allocating. One thread.
class Sha256Hasher {
 public:
  Sha256Hasher();
  Sha256Hasher& update(std::string_view bytes);
  /// The hash of all updates since the last finish().
  Sha256 finish();

 private:
  alignas(8) std::array<char, 112> state_;  // OpenSSL's SHA256_CTX
};

/// HMAC-SHA256 (RFC 2104).
Sha256 hmacSha256(std::string_view key, std::string_view bytes);

std::string sha256Hex(std::string_view bytes);

}  // namespace yett::base
