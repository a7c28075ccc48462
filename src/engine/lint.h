// What a set of rules says but hardly means: the warnings of `yett check`.
#pragma once

#include <string>
#include <vector>

#include "engine/rule_book.h"

namespace yett::engine {

/// "file:line: rule `x`: ...", in the order of files and lines.
std::vector<std::string> lint(const RuleBook& book);

/// Whether `outer`, read as a rule without a condition, matches all that `inner` may match. May say no where it does.
bool covers(const Rule& outer, const Rule& inner);

}  // namespace yett::engine
