// What a set of rules says but hardly means: the warnings of `yett check`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rule/rule_book.h"

namespace yett::rule {

/// "file:line: rule `x`: ...", in the order of files and lines.
std::vector<std::string> lint(const RuleBook& book);
/// Lines of these files that hold what looks like a credential: "file:line: ...". The audit log keeps them.
std::vector<std::string> credentialWarnings(const std::map<std::string, std::string>& files);

/// Whether `outer`, read as a rule without a condition, matches all that `inner` may match. May say no where it does.
bool covers(const Rule& outer, const Rule& inner);

}  // namespace yett::rule
