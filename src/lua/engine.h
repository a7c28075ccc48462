// The rule engine `lua`: rules matched natively, conditions run as Lua within the budget, their results remembered.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "policy/data_documents.h"
#include "policy/policy_source.h"
#include "policy/rule_engine.h"
#include "rule/rule_book.h"

namespace yett::lua {

/// The budget for loading a policy directory.
inline constexpr policy::Budget kLoadBudget{200'000'000, uint64_t{512} << 20};

class LuaRuleSet final : public policy::RuleSet {
 public:
  /// Loads all policies of the source, and keeps the files that they use. On failure returns null and reports every
  /// problem, with file:line.
  /// `budget`: for loading; loading an evaluator gets the same.
  static std::shared_ptr<const LuaRuleSet> load(policy::PolicySource source, std::vector<std::string>& problems,
                                                policy::Budget budget = kLoadBudget);

  const std::string& digest() const override { return source_.digest; }
  const char* type() const override { return "lua"; }
  const std::map<std::string, std::string>& files() const override { return source_.files; }
  bool isOf(const policy::PolicySource& source) const override;
  std::vector<policy::RuleInfo> rules() const override { return book_->infos(); }
  std::vector<std::string> ownedHeaders() const override { return book_->ownedHeaders(); }
  uint64_t clockState(int64_t seconds) const override { return book_->clockState(seconds); }
  std::vector<std::string> warnings() const override;
  std::vector<std::string> unusedFiles() const override { return unused_; }
  Result<std::unique_ptr<policy::Evaluator>> makeEvaluator(const policy::EvaluatorOptions& options) const override;

  const rule::RuleBook& book() const { return *book_; }

 private:
  LuaRuleSet(policy::PolicySource source, policy::Budget budget) : source_(std::move(source)), load_budget_(budget) {}
  bool uses(const std::string& name) const;
  policy::PolicySource source_;   // the files that are used
  std::set<std::string> wanted_;  // requested by `data` and `require`
  policy::Budget load_budget_;
  std::vector<std::string> unused_;
  std::set<std::string, std::less<>> globals_;  // that the language defines
  mutable policy::DataDocuments documents_;     // of source_
  std::set<std::string> code_files_;            // files with conditions: all that an evaluator needs
  std::unique_ptr<const rule::RuleBook> book_;
};

}  // namespace yett::lua
