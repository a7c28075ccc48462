// Shows how each rule was evaluated, for people and programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/rule_engine.h"

namespace yett::cli {

/// Prints each rule. If there are many: only those that apply or reached their condition, and a count of the others by
/// what did not match.
void printTraces(const std::vector<policy::RuleTrace>& traces, std::string_view indent);
std::string traceJson(const policy::RuleTrace& trace);

}  // namespace yett::cli
