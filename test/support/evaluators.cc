#include "support/evaluators.h"

#include <stdexcept>

#include "engine/json_engine.h"
#include "lua/engine.h"

namespace yett::test {
namespace {

template <typename Set>
policy::LoadedEngine engineOf(const char* file, const std::string& text, const std::string& name, bool veto) {
  policy::PolicySource source;
  source.files[file] = text;
  std::vector<std::string> problems;
  auto set = Set::load(source, problems);
  if (set == nullptr) throw std::runtime_error((problems.empty() ? "no rules" : problems[0]) + "\n" + text);
  return {name, veto, std::move(set)};
}

}  // namespace

policy::LoadedEngine luaEngine(const std::string& text) {
  return engineOf<lua::LuaRuleSet>("p.lua", text, "main", false);
}

policy::LoadedEngine jsonEngine(const std::string& text, const std::string& name, bool veto) {
  return engineOf<engine::JsonRuleSet>("rules.json", text, name, veto);
}

std::unique_ptr<policy::PolicyEvaluator> evaluatorOf(std::vector<policy::LoadedEngine> engines,
                                                     const policy::EvaluatorOptions& options) {
  return policy::PolicyEvaluator::create(
             std::make_shared<const policy::PolicySet>(std::move(engines), policy::Budget{}), options)
      .value();
}

}  // namespace yett::test
