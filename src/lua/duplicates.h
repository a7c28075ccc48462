// Finds names that appear twice in one table of a policy. Lua silently keeps the last one, so the first would only look
// as if it were in force.
#pragma once

#include <string>
#include <vector>

namespace yett::lua {

struct DuplicateField {
  std::string name;
  int line = 0;   ///< of the second one
  int first = 0;  ///< of the first one
};

/// Finds them in the text of a file: `name =` and `["name"] =` of each table constructor. REQUIRES: Lua compiles the
/// text.
std::vector<DuplicateField> duplicateFields(const std::string& text);

}  // namespace yett::lua
