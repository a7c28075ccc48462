// How the index makes keys, of rules and of requests alike. For the files of rule_index.h alone.
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
/// What is used of a RuleIndex::Record; literals begin in its cache line.
inline constexpr size_t kRecordSize = 48;

inline std::string_view viewOf(const std::array<unsigned char, 16>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Path segments that differ by ASCII case alone share a hash: a deny means both. The records know better.
inline uint64_t foldedHash(std::string_view segment) {
  char small[128];
  if (segment.size() > sizeof small) return base::hashBytes(base::lowered(segment), kSeed);
  std::transform(segment.begin(), segment.end(), small, base::toLower);
  return base::hashBytes({small, segment.size()}, kSeed);
}

inline uint64_t addTo(uint64_t hash, uint64_t part) {
  return base::mixed(hash ^ part, 0xa0761d6478bd642f) | 1;  // never 0, which means "does not fit"
}

}  // namespace yett::rule
