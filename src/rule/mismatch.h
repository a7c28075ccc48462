// Why a rule did not match, for people: what the rule wants beside what the request has.
#pragma once

#include <string>
#include <string_view>

#include "policy/attribute_reader.h"
#include "rule/rule.h"

namespace yett::rule {

struct Mismatch {
  std::string wanted;  ///< "/orders/{id}", "GET, HEAD"; long lists are cut
  std::string got;     ///< "/order/42", "(absent)"
};

/// `failed`: the matcher that failed, as matches() names it. Records no reads.
Mismatch mismatchOf(const Rule& rule, std::string_view failed, policy::AttributeReader& reader);

}  // namespace yett::rule
