// What differs between two texts, line by line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace yett::cli {

struct DiffLine {
  char sign;  ///< '+', '-' or ' '
  std::string text;
};

/// The lines that were added and removed, each with `context` equal lines around it; a line of "..." stands where
/// others are left out. Texts too long to be compared (several thousand lines each) are all removed and all added.
std::vector<DiffLine> diffLines(std::string_view before, std::string_view after, size_t context = 3);

}  // namespace yett::cli
