// Finds rules that are valid but hardly intended: the warnings of `yett check`.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rule/rule_book.h"

namespace yett::rule {

/// "file:line: rule `x`: ...", in the order of files and lines.
std::vector<std::string> lint(const RuleBook& book);
/// Lines of these files that seem to contain a credential: "file:line: ...". The audit log stores these files.
std::vector<std::string> credentialWarnings(const std::map<std::string, std::string>& files);

/// Whether `outer` is not conditional() and matches everything that `inner` may match. False negatives are possible.
bool covers(const Rule& outer, const Rule& inner);

}  // namespace yett::rule
