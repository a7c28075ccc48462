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

}  // namespace yett::base
