// Turns the fields of a rule, as a language gives them, into matchers. Says what is wrong in the words of its author.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/rule.h"

namespace yett::engine {

/// All fields a rule may have.
const std::vector<std::string_view>& ruleFieldNames();

/// Sets one matcher from its list of strings (`field` is one of principal, method, host, path, source).
Status setMatcher(Rule& rule, std::string_view field, const std::vector<std::string>& values);
/// Adds a header matcher.
Status addHeaderMatcher(Rule& rule, std::string_view header, const std::vector<std::string>& values);
/// reason, public_reason.
Status setText(Rule& rule, std::string_view field, std::string value);
Status setStatus(Rule& rule, int64_t value);
/// What only the whole rule can tell.
Status checkRule(const Rule& rule);

}  // namespace yett::engine
