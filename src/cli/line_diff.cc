#include "cli/line_diff.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace yett::cli {
namespace {

constexpr size_t kMaxCells = 16'000'000;  // of the table below

using Lines = std::vector<std::string_view>;

// Diffs by the longest common subsequence of lines.
std::vector<DiffLine> whole(const Lines& a, const Lines& b) {
  std::vector<DiffLine> out;
  const auto all = [&](char sign, const Lines& lines) {
    for (const auto line : lines) out.push_back({sign, std::string(line)});
  };
  if ((a.size() + 1) * (b.size() + 1) > kMaxCells) return all('-', a), all('+', b), out;
  const size_t width = b.size() + 1;
  std::vector<uint16_t> common((a.size() + 1) * width);
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;)
      common[i * width + j] = a[i] == b[j] ? static_cast<uint16_t>(common[(i + 1) * width + j + 1] + 1)
                                           : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
  }
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) out.push_back({' ', std::string(a[i])}), ++i, ++j;
    else if (i < a.size() && (j == b.size() || common[(i + 1) * width + j] >= common[i * width + j + 1]))
      out.push_back({'-', std::string(a[i++])});
    else out.push_back({'+', std::string(b[j++])});
  }
  return out;
}

}  // namespace

std::vector<DiffLine> diffLines(std::string_view before, std::string_view after, size_t context) {
  const auto linesOf = [](std::string_view text) {
    auto out = base::split(text, '\n');
    if (!out.empty() && out.back().empty()) out.pop_back();
    return Lines(out.begin(), out.end());
  };
  const auto lines = whole(linesOf(before), linesOf(after));
  std::vector<bool> shown(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].sign == ' ') continue;
    for (size_t at = i - std::min(i, context); at < std::min(lines.size(), i + context + 1); ++at) shown[at] = true;
  }
  std::vector<DiffLine> out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (shown[i]) out.push_back(lines[i]);
    else if (!out.empty() && shown[i - 1]) out.push_back({' ', "..."});
  }
  if (!out.empty() && out.back().text == "..." && out.back().sign == ' ') out.pop_back();
  return out;
}

}  // namespace yett::cli
