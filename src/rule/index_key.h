// How the index builds keys, for rules and requests alike. Only for the implementation of rule_index.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "base/hash.h"
#include "base/text.h"

namespace yett::rule {

inline constexpr size_t kMaxSegments = 32;
inline constexpr uint64_t kSeed = 0x8ebc6af09c88c6e3;
/// The used bytes of a RuleIndex::Record; its literals begin in the same cache line.
inline constexpr size_t kRecordSize = 48;

inline std::string_view viewOf(const std::array<unsigned char, 16>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Path segments that differ only by ASCII case share a hash: a deny matches both. The records decide in the end.
inline uint64_t foldedHash(std::string_view segment) {
  char small[128];
  if (segment.size() > sizeof small) return base::hashBytes(base::lowered(segment), kSeed);
  std::transform(segment.begin(), segment.end(), small, base::toLower);
  return base::hashBytes({small, segment.size()}, kSeed);
}

inline uint64_t addTo(uint64_t hash, uint64_t part) {
  return base::mixed(hash ^ part, 0xa0761d6478bd642f) | 1;  // never 0, which means "does not match"
}

}  // namespace yett::rule
