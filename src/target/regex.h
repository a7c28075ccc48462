// Regular expressions of rules: RE2 (linear time), anchored at both ends, matching bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace re2 {
class RE2;
}

namespace yett::target {

/// One expression. Immutable, any thread; copies share it.
class Regex {
 public:
  /// Errors: bad syntax, or a text or compiled program over its limit.
  static Result<Regex> compile(std::string_view text);
  /// The whole of `text` must match; `.` is any byte.
  bool matches(std::string_view text) const;
  const std::string& text() const;
  /// The worst-case cost of matching `size` bytes: bytes times compiled instructions, about 5 ns each.
  uint64_t worstSteps(size_t size) const;

 private:
  std::shared_ptr<const re2::RE2> regex_;
};

/// Many expressions matched in one pass.
class RegexSet {
 public:
  RegexSet();
  ~RegexSet();
  RegexSet(RegexSet&&) noexcept;
  RegexSet& operator=(RegexSet&&) noexcept;
  /// Returns its index in the set.
  size_t add(const Regex& regex);
  /// REQUIRES: called once, after the last add().
  void compile();
  size_t size() const { return all_.size(); }
  /// Puts the indexes of expressions that may match into `out`, ascending: exactly those that match or, if matching
  /// would cost too much for their number and the length of the text, all of them.
  void match(std::string_view text, std::vector<int>& out) const;

 private:
  struct Automaton;
  std::vector<Regex> all_;
  uint64_t steps_ = 0;  // per byte
  std::unique_ptr<Automaton> automaton_;
};

}  // namespace yett::target
