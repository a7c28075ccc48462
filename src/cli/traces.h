// What became of each rule, for people and programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/rule_engine.h"

namespace yett::cli {

/// Each rule; where there are many, those that got as far as their condition, and how many others failed at what.
void printTraces(const std::vector<policy::RuleTrace>& traces, std::string_view indent);
std::string traceJson(const policy::RuleTrace& trace);

}  // namespace yett::cli
