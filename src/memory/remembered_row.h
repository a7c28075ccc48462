// A remembered result as stored on disk. The key contains the rule, what it read and the values; the value contains the
// result and its cost. Only rows of the same build and machine are ever read back.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "memory/exact_memory.h"

namespace yett::memory {

struct RememberedRow {
  uint32_t rule = 0;
  std::vector<std::pair<uint8_t, std::string_view>> attributes;
  std::string_view values;
  Remembered result;

  std::string key() const;
  std::string value() const;
  /// Fills `out` with views into key and value; false if they are not complete.
  static bool parse(std::string_view key, std::string_view value, RememberedRow& out);
};

}  // namespace yett::memory
