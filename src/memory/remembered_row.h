// A remembered result as it is written down: the key says the rule, what it read and the values; the value what it gave
// and cost. Only bytes of the same build and machine are ever read back.
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
  /// Fills `out` with views into key and value; false where they are not whole.
  static bool parse(std::string_view key, std::string_view value, RememberedRow& out);
};

}  // namespace yett::memory
