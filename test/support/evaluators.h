// Evaluators of policies given as text. Throws with the problems if one does not load.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/policy_set.h"

namespace yett::test {

/// An engine from one Lua file, or from one JSON file.
policy::LoadedEngine luaEngine(const std::string& text);
policy::LoadedEngine jsonEngine(const std::string& text, const std::string& name = "main", bool veto = false);

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(std::vector<policy::LoadedEngine> engines,
                                                     const policy::EvaluatorOptions& options = {});

}  // namespace yett::test
