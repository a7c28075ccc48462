// Variable-length numbers: seven bits per byte, lowest first; the top bit is set if more bytes follow (as in Protocol
// Buffers). Signed numbers are folded first: 0, -1, 1, -2 become 0, 1, 2, 3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yett::block {

inline void putVarint(uint64_t value, std::string& out) {
  char bytes[10];
  size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
  bytes[size++] = static_cast<char>(value);
  out.append(bytes, size);
}

/// Takes a number off the front. False if there is none, or it has more than 64 bits.
inline bool takeVarint(std::string_view& from, uint64_t& value) {
  value = 0;
  for (size_t i = 0; i < from.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(from[i]);
    if (i == 9 && byte > 1) return false;
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) != 0) continue;
    from.remove_prefix(i + 1);
    return true;
  }
  return false;
}

/// Takes `size` bytes off the front. False if there are fewer.
inline bool takeBytes(std::string_view& from, uint64_t size, std::string_view& out) {
  if (size > from.size()) return false;
  out = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

constexpr uint64_t folded(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t unfolded(uint64_t value) {
  return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
}

}  // namespace yett::block
