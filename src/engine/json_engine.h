// The rule engine `rules`: rules with matchers as declarative JSON, for generated policies. schemas/rules.schema.json
// describes the files.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "policy/policy_source.h"
#include "rule/rule_book.h"

namespace yett::engine {

class JsonRuleSet final : public policy::RuleSet {
 public:
  /// Loads all `*.json` at the top of the source. On failure returns null and reports every problem, with file:line.
  static std::shared_ptr<const JsonRuleSet> load(const policy::PolicySource& source,
                                                 std::vector<std::string>& problems);
  const std::string& digest() const override { return digest_; }
  const char* type() const override { return "rules"; }
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
  std::string digest_;
  policy::PolicySource source_;  // the files that are used
  std::vector<std::string> unused_;
  std::unique_ptr<const rule::RuleBook> book_;
};

}  // namespace yett::engine
