// Converts the fields of a rule, as its language gives them, to native form. Errors use the terms of the rule's
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
  bool absent = false;  ///< the header or key was not sent
};

/// All fields a rule may have.
const std::vector<std::string_view>& ruleFieldNames();
/// principal, method, host, path, source, grpc and their `not_` twins: a string or a list.
bool isListField(std::string_view field);
/// header, query and their twins: a table of strings or lists.
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
/// Bytes of a computed value.
inline constexpr size_t kLongestHeader = 4096;
/// What a header may contain (RFC 9110 5.5), without blanks around it.
bool isFieldValue(std::string_view value);
/// hours, not_hours. The error does not name the field.
Status setHours(Rule& rule, std::string_view field, const std::vector<std::string>& entries, std::string_view zone);
/// Checks that need the whole rule; puts lists into a fixed order. Call it once, last. `fields`: those that the author
/// wrote, so that a principal that was reported already, or is misspelt, makes no second problem.
Status finishRule(Rule& rule, const std::vector<std::string>& fields);

/// Reports every duplicate (policy, name): "file:line: ...".
void checkNames(const std::vector<Rule>& rules, std::vector<std::string>& problems);

}  // namespace yett::rule
