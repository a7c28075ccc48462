// Durations and sizes as people write them in the configuration: "250ms", "64KiB".
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::base {

using Millis = std::chrono::milliseconds;

/// Units: ms, s, m, h, d. A number without a unit is an error; so is a negative number.
Result<Millis> parseDuration(std::string_view text);
/// Units: B, KiB, MiB, GiB.
Result<uint64_t> parseSize(std::string_view text);

/// For people: "48MiB", "12GiB"; rounded.
std::string formatSize(uint64_t bytes);

}  // namespace yett::base
