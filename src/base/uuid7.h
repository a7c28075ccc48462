// Decision ids: UUID version 7 (RFC 9562 5.7), ordered by time, the low bits from a generator seeded by the kernel.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace yett::base {

/// 36 characters of text, no terminating zero.
using UuidText = std::array<char, 36>;

/// Generates ids for one thread. An id is an identifier, not a secret.
class Uuid7Source {
 public:
  Uuid7Source();
  UuidText next(int64_t wall_micros);

 private:
  uint64_t random();
  uint64_t state_[2];
};

/// The time in a UUIDv7, in milliseconds since 1970; nullopt if the text is not a UUIDv7.
std::optional<int64_t> uuid7Millis(std::string_view text);

inline std::string_view view(const UuidText& text) {
  return {text.data(), text.size()};
}

}  // namespace yett::base
