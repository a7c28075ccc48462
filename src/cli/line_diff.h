// A line-by-line diff of two texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace yett::cli {

struct DiffLine {
  char sign;  ///< '+', '-' or ' '
  std::string text;
};

/// The added and removed lines, each with `context` unchanged lines around it; "..." marks omitted lines. Texts too
/// long to compare (several thousand lines each) are shown as fully removed and fully added.
std::vector<DiffLine> diffLines(std::string_view before, std::string_view after, size_t context = 3);

}  // namespace yett::cli
