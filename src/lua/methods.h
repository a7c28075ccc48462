// Finds where a policy calls string methods (`s:sub(1, 2)`). Elsewhere, `s.sub` on a string that was expected to be an
// object would give the function, and compare as equal to that of another string.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace yett::lua {

inline constexpr std::array<std::string_view, 13> kStringMethods = {
    "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub", "upper"};

/// The lines of a file in which each method is called by `:name`, ascending.
class MethodCalls {
 public:
  /// REQUIRES: Lua compiles the text.
  explicit MethodCalls(std::string_view text);
  bool at(std::string_view method, int line) const;
  /// "12: ..." of each line that has both `:name` and, on anything but `string`, `.name`: the line alone cannot
  /// distinguish them.
  const std::vector<std::string>& mixed() const { return mixed_; }
  /// Whether the text can read such a name only to call it. False if the text has `.name` on anything but `string`,
  /// `[...]` with anything but a number or a literal of another name, or `string` not followed by `.` or `:`.
  bool callsOnly() const { return calls_only_; }

 private:
  std::array<std::vector<int>, kStringMethods.size()> lines_;
  std::vector<std::string> mixed_;
  bool calls_only_ = true;
};

}  // namespace yett::lua
