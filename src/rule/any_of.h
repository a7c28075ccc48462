// Combines several comparisons into one answer. Only for the implementation of matchers.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "policy/attribute_reader.h"
#include "rule/matchers.h"
#include "target/regex.h"

namespace yett::rule {

/// Yes if one matches, an error if one could not be made and none matches.
class AnyOf {
 public:
  explicit AnyOf(policy::AttributeReader& reader) : reader_(reader) {}
  bool plain(bool yes) { return yes_ = yes_ || yes; }
  bool regex(const target::Regex& regex, std::string_view text) {
    if (!reader_.spendSteps(regex.worstSteps(text.size()))) unsure_ = true;
    else yes_ = yes_ || regex.matches(text);
    return yes_;
  }
  bool spend(uint64_t steps) {
    if (reader_.spendSteps(steps)) return true;
    unsure_ = true;
    return false;
  }
  void doubt() { unsure_ = true; }
  Match result() const { return yes_ ? Match::kYes : unsure_ ? Match::kError : Match::kNo; }

 private:
  policy::AttributeReader& reader_;
  bool yes_ = false;
  bool unsure_ = false;
};

}  // namespace yett::rule
