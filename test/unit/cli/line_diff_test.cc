#include "cli/line_diff.h"

#include <catch2/catch.hpp>

using namespace yett;

namespace {

std::string diff(std::string_view a, std::string_view b, size_t context = 1) {
  std::string out;
  for (const auto& line : cli::diffLines(a, b, context)) out += line.sign + line.text + "|";
  return out;
}

}  // namespace

TEST_CASE("line diff: added and removed lines, with context") {
  CHECK(diff("", "") == "");
  CHECK(diff("a\nb\n", "a\nb\n") == "");
  CHECK(diff("", "a\nb\n") == "+a|+b|");
  CHECK(diff("a\nb\n", "") == "-a|-b|");
  CHECK(diff("a\nb\nc\nd\ne\n", "a\nb\nx\nd\ne\n") == " b|-c|+x| d|");
  CHECK(diff("a\nb\nc\nd\ne\nf\ng\n", "A\nb\nc\nd\ne\nf\nG\n") == "-a|+A| b| ...| f|-g|+G|");
  CHECK(diff("a\nb\nc\n", "b\nc\nd\n", 0) == "-a| ...|+d|");
  CHECK(diff("same\nno end", "same\nno end\n") == "");
}

TEST_CASE("line diff: texts that are too long count as removed and added completely") {
  std::string a;
  std::string b;
  for (int i = 0; i < 5000; ++i) a += std::to_string(i) + "\n", b += std::to_string(i + 1) + "\n";
  const auto lines = cli::diffLines(a, b);
  CHECK(lines.size() == 10'000);
}
