// Converts the fields of a rule, as its language gives them, to native form. Errors use the terms of the rule's
// author.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/attribute.h"
#include "rule/rule.h"
#include "target/regex.h"

namespace yett::rule {

/// A string of a policy: plain, or `re "..."`.
struct FieldValue {
  std::string text;
  std::optional<target::Regex> regex;
  policy::AttrValue::Type type =
      policy::AttrValue::Type::kText;  ///< of a claim: a whole number, true or false, as text
  bool absent = false;                 ///< the header or key was not sent
};

/// All fields a rule may have.
const std::vector<std::string_view>& ruleFieldNames();
/// principal, method, host, path, source, grpc, jwt and their `not_` twins: a string or a list.
bool isListField(std::string_view field);
/// header, query, claim and their twins: a table of strings or lists.
bool isKeyedField(std::string_view field);

/// Their errors do not name the field.
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
/// set_header, remove_header (which ignores `value`).
Status addObligation(Rule& rule, std::string_view field, std::string_view header, std::string_view value);
/// A header whose value depends on the request.
Status addComputed(Rule& rule, ComputedHeader header);
/// A header that gets the value of an attribute, by its name: "principal.id", "params.id", "header.x-a".
Result<ComputedHeader> copiedHeader(std::string_view name, std::string_view attribute);
/// hours, not_hours. The error does not name the field.
Status setHours(Rule& rule, std::string_view field, const std::vector<std::string>& entries, std::string_view zone);
/// Checks that need the whole rule; puts lists into a fixed order. Call it once, last. `fields`: those that the author
/// wrote, so that a principal that was reported already, or is misspelt, makes no second problem.
Status finishRule(Rule& rule, const std::vector<std::string>& fields);

/// Reports every duplicate (policy, name): "file:line: ...".
void checkNames(const std::vector<Rule>& rules, std::vector<std::string>& problems);

}  // namespace yett::rule
