// Turns the fields of a rule, as a language gives them, into native form. Says what is wrong in the words of its
// author.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rule/rule.h"
#include "target/regex.h"

namespace yett::rule {

/// A string of a policy: plain, or `re "..."`.
struct FieldValue {
  std::string text;
  std::optional<target::Regex> regex;
};

/// All fields a rule may have.
const std::vector<std::string_view>& ruleFieldNames();
/// principal, method, host, path, source, grpc and their `not_` twins: a string or a list.
bool isListField(std::string_view field);
/// header, query and their twins: a table of strings or lists.
bool isKeyedField(std::string_view field);

/// Each says what is wrong, without the field's name.
Status setMatcher(Rule& rule, std::string_view field, const std::vector<FieldValue>& values);
Status addKeyedMatcher(Rule& rule, std::string_view field, std::string_view key, std::vector<FieldValue> values);
/// reason, public_reason.
Status setText(Rule& rule, std::string_view field, std::string value);
Status setStatus(Rule& rule, int64_t value);
/// A duration ("5s").
Status setTtl(Rule& rule, std::string_view value);
Status setAuditOnly(Rule& rule, bool value);
/// `exact`: see Rule::exact_case.
Status setCase(Rule& rule, std::string_view value);
/// set_header, remove_header (`value` is not looked at).
Status addObligation(Rule& rule, std::string_view field, std::string_view header, std::string_view value);
/// What only the whole rule can tell; puts lists into a fixed order. To be called once, last.
Status finishRule(Rule& rule);

/// Notes every (policy, name) that is there twice: "file:line: ...".
void checkNames(const std::vector<Rule>& rules, std::vector<std::string>& problems);

}  // namespace yett::rule
