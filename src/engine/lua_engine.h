// The rule engine `lua`: rules matched natively, conditions run as Lua within the budget.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/policy_source.h"
#include "engine/rule.h"
#include "policy/rule_engine.h"

namespace yett::engine {

class LuaRuleSet final : public policy::RuleSet {
 public:
  /// Loads all policies of the source. On failure returns null and says every problem, with file:line.
  static std::shared_ptr<const LuaRuleSet> load(PolicySource source, std::vector<std::string>& problems);

  const std::string& digest() const override { return source_.digest; }
  std::vector<policy::RuleInfo> rules() const override;
  Result<std::unique_ptr<policy::Evaluator>> makeEvaluator(const policy::Budget& budget) const override;

 private:
  explicit LuaRuleSet(PolicySource source) : source_(std::move(source)) {}
  PolicySource source_;
  std::vector<Rule> rules_;  // denies before allows, each in bytewise order of (policy, rule)
};

}  // namespace yett::engine
