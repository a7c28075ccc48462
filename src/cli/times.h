// Parses times as people write them.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace yett::cli {

/// Microseconds since 1970; all times are UTC. "10m" and "10 minutes ago"; "now", "today", "yesterday", "this week",
/// "last quarter", "monday", "last tuesday" (before today); "14:30" of today; "2026-11", "2026-Q3", "2026-11-21",
/// "2026-11-21 14:30", "2026-11-21T14:30:00Z" or with an offset ("-0500"); ten digits: seconds since 1970. A day or a
/// longer period means its start.
Result<int64_t> parseTime(const std::string& text, int64_t now_micros);

}  // namespace yett::cli
