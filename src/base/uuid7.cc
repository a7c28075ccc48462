#include "base/uuid7.h"

#include <sys/random.h>

#include <cstdlib>

namespace yett::base {

Uuid7Source::Uuid7Source() {
  do {
    if (getrandom(state_, sizeof state_, 0) != sizeof state_) std::abort();
  } while (state_[0] == 0 && state_[1] == 0);
}

// xoroshiro128+ (Blackman and Vigna): collisions are what matters here, not secrecy.
uint64_t Uuid7Source::random() {
  const uint64_t a = state_[0];
  uint64_t b = state_[1];
  const uint64_t result = a + b;
  b ^= a;
  state_[0] = ((a << 24) | (a >> 40)) ^ b ^ (b << 16);
  state_[1] = (b << 37) | (b >> 27);
  return result;
}

UuidText Uuid7Source::next(int64_t wall_micros) {
  const uint64_t millis = static_cast<uint64_t>(wall_micros / 1000);
  const uint64_t high = (millis << 16) | 0x7000u | (random() >> 52);
  const uint64_t low = (uint64_t{1} << 63) | (random() >> 2);
  static constexpr char kDigits[] = "0123456789abcdef";
  UuidText out;
  size_t at = 0;
  for (int nibble = 0; nibble < 32; ++nibble) {
    if (nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20) out[at++] = '-';
    const uint64_t word = nibble < 16 ? high : low;
    out[at++] = kDigits[(word >> (60 - 4 * (nibble % 16))) & 15];
  }
  return out;
}

std::optional<int64_t> uuid7Millis(std::string_view text) {
  if (text.size() != 36 || text[8] != '-' || text[13] != '-' || text[14] != '7') return std::nullopt;
  int64_t out = 0;
  for (size_t i = 0; i < 13; ++i) {
    if (i == 8) continue;
    const char c = text[i];
    if (c >= '0' && c <= '9') out = out * 16 + (c - '0');
    else if (c >= 'a' && c <= 'f') out = out * 16 + (c - 'a' + 10);
    else return std::nullopt;
  }
  return out;
}

}  // namespace yett::base
