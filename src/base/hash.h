// A fast hash of short byte strings, for tables in memory only: not stable across builds, no protection against
// somebody who knows the seed.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace yett::base {

constexpr uint64_t mixed(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// 64 bits of the bytes, their number and the seed.
inline uint64_t hashBytes(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xe7037ed1a0b428db;
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t hash = seed ^ (kA * (left + 1));
  const auto load = [](const char* from, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
  };
  for (; left >= 16; p += 16, left -= 16) hash = mixed(load(p, 8) ^ kB ^ hash, load(p + 8, 8) ^ kA);
  const uint64_t first = load(p, left < 8 ? left : 8);
  const uint64_t second = left > 8 ? load(p + 8, left - 8) : 0;
  return mixed(first ^ kB ^ hash, second ^ kA);
}

}  // namespace yett::base
