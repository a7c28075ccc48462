// A fast hash for short byte strings. It does not protect against an attacker who knows the seed. It must never change
// and is for little-endian machines only: audit/block_filter.cc writes its bits to disk.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace yett::base {

constexpr uint64_t mixed(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// A 64-bit hash of the bytes, their length and the seed.
inline uint64_t hashBytes(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xe7037ed1a0b428db;
  const char* p = bytes.data();
  size_t left = bytes.size();
  // Secrets derived from the seed: an attacker cannot choose bytes that make a factor 0 and so erase the state so far.
  const uint64_t a = mixed(seed ^ kA, kB) | 1;
  const uint64_t b = mixed(seed ^ kB, kA);
  uint64_t hash = seed ^ (kA * (left + 1));
  const auto eight = [](const char* from) {
    uint64_t word = 0;
    std::memcpy(&word, from, 8);
    return word;
  };
  const auto four = [](const char* from) {
    uint32_t word = 0;
    std::memcpy(&word, from, 4);
    return uint64_t{word};
  };
  for (; left > 16; p += 16, left -= 16) hash = mixed(eight(p) ^ b ^ hash, eight(p + 8) ^ a) + a;
  uint64_t first = 0;
  uint64_t second = 0;
  if (left >= 8) {  // overlapping fixed-size loads: a variable-size memcpy would be a function call
    first = eight(p);
    second = eight(p + left - 8);
  } else if (left >= 4) {
    first = four(p);
    second = four(p + left - 4);
  } else if (left > 0) {
    first = static_cast<unsigned char>(p[0]) | uint64_t{static_cast<unsigned char>(p[left / 2])} << 8 |
            uint64_t{static_cast<unsigned char>(p[left - 1])} << 16;
  }
  return mixed(first ^ b ^ hash, second ^ a);
}

}  // namespace yett::base
