#include "base/units.h"

#include "base/text.h"

namespace yett::base {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};

template <size_t N>
bool parseWithUnit(std::string_view text, const Unit (&units)[N], uint64_t& out) {
  const auto digits = text.find_first_not_of("0123456789");
  uint64_t number = 0;
  if (digits == std::string_view::npos || !parseUnsigned(text.substr(0, digits), number)) return false;
  for (const auto& unit : units) {
    if (text.substr(digits) != unit.name) continue;
    return !__builtin_mul_overflow(number, unit.factor, &out) && out < (uint64_t{1} << 62);
  }
  return false;
}

}  // namespace

Result<Millis> parseDuration(std::string_view text) {
  static constexpr Unit kUnits[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  uint64_t millis = 0;
  if (!parseWithUnit(text, kUnits, millis)) {
    return Error{"`" + printable(text) +
                 "` is not a duration: write a whole number and ms, s, m, h or d, as in `250ms`"};
  }
  return Millis(static_cast<int64_t>(millis));
}

Result<uint64_t> parseSize(std::string_view text) {
  static constexpr Unit kUnits[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  uint64_t bytes = 0;
  if (!parseWithUnit(text, kUnits, bytes)) {
    return Error{"`" + printable(text) + "` is not a size: write a whole number and B, KiB, MiB or GiB, as in `64KiB`"};
  }
  return bytes;
}

std::string formatSize(uint64_t bytes) {
  constexpr uint64_t kMiB = 1 << 20;
  return bytes < kMiB * 1024 * 10 ? std::to_string((bytes + kMiB / 2) / kMiB) + "MiB"
                                  : std::to_string(bytes / (1024 * kMiB)) + "GiB";
}

}  // namespace yett::base
