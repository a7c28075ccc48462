// Runs the conditions of a Lua rule set for one worker, in a state of its own.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "lua/state.h"
#include "memory/exact_memory.h"
#include "policy/data_documents.h"
#include "policy/policy_source.h"
#include "rule/rule_book.h"

namespace yett::lua {

class LuaEvaluator final : public rule::RuleEvaluator {
 public:
  LuaEvaluator(const rule::RuleBook& book, const policy::EvaluatorOptions& options);
  /// Loads the files that hold conditions. REQUIRES: called once, before anything else.
  Status load(const policy::PolicySource& source, policy::DataDocuments& documents, const std::set<std::string>& files,
              const policy::Budget& budget);

  /// From now on calls `sink` for every line of policy code that runs. For coverage.
  void watchLines(LuaState::LineSink sink) { state_->watchLines(std::move(sink)); }
  /// All executable lines of all conditions: (file, line).
  std::set<std::pair<std::string, int>> codeLines();

 protected:
  void begin() override { state_->begin(options_.budget, LuaState::Purpose::kDecide); }
  Answer ask(uint32_t number, policy::AttributeReader& reader, policy::Verdict& out) override;
  Answer compute(uint32_t slot, const rule::Rule& rule, policy::AttributeReader& reader, policy::Verdict& out,
                 std::string& value) override;
  void trace(uint32_t number, policy::AttributeReader& reader, policy::RuleTrace& out) override;

 private:
  struct Patience {
    uint32_t spent = 0;     // budgets that it has used up in a row
    int64_t shortened = 0;  // until this time (seconds since 1970) it gets a tenth
  };
  // A function of the policy: by its slot, of a rule, and if it is not its condition, of one of its headers.
  struct Function {
    uint32_t slot;
    const rule::Rule& rule;
    const rule::ComputedHeader* header = nullptr;
  };
  Answer call(Function function, policy::AttributeReader& reader, policy::Verdict& out);
  Answer fresh(const Function& function, policy::AttributeReader& reader, policy::Verdict& out);
  static Answer callHeader(lua_State* L, const rule::ComputedHeader& header, policy::Verdict& out);
  Answer callWhen(lua_State* L, policy::Verdict& out);
  Answer callProgram(lua_State* L, policy::Verdict& out);

  const policy::EvaluatorOptions options_;
  std::unique_ptr<LuaState> state_;
  memory::ExactMemory memory_;
  std::vector<int> conditions_;  // registry reference by slot, 0 for none
  std::vector<Patience> patience_;
  base::Metrics own_metrics_;
  base::Counter& shortened_;
  int request_ = 0;
  policy::AttributeReader* reader_ = nullptr;
};

}  // namespace yett::lua
