// Evaluators of policies that a test writes down. What does not load is an exception with its problems.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/policy_set.h"

namespace yett::test {

/// One engine, "main", of one file of Lua, or of one file of JSON.
policy::LoadedEngine luaEngine(const std::string& text);
policy::LoadedEngine jsonEngine(const std::string& text, const std::string& name = "main", bool veto = false);

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(std::vector<policy::LoadedEngine> engines,
                                                     const policy::EvaluatorOptions& options = {});

}  // namespace yett::test
