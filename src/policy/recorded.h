// A request as a record describes it: the request, and what policy read of it. Everything else is unknown, which is
// neither present nor absent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::policy {

enum class Attr : uint8_t;

/// What a record says about one attribute.
struct RecordedValue {
  enum class State : uint8_t { kText, kMasked, kJson, kNumber, kFlag, kList, kAbsent, kError };
  Attr attr;
  std::string key;
  State state = State::kAbsent;
  std::string text;
  int64_t number = 0;
  std::vector<std::string> list;
};

/// The reads of one record. Masked values are unknown: they are left out, or kMasked where that there was a value
/// says something.
struct Recorded {
  std::vector<RecordedValue> values;
  bool query_known = false;  ///< the whole query is in the check request

  const RecordedValue* find(Attr attr, std::string_view key) const;
};

/// Parses the output of AttributeReader::readsJson(). Skips entries that it does not understand.
Status parseReads(std::string_view json, Recorded& out);

}  // namespace yett::policy
