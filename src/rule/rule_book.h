// All rules of one engine in the order of evaluation, with their index; and the one way to evaluate them, whatever
// language their conditions are written in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/rule_engine.h"
#include "rule/rule.h"
#include "rule/rule_index.h"

namespace yett::rule {

/// Immutable; any thread.
class RuleBook {
 public:
  explicit RuleBook(std::vector<Rule> rules);
  RuleBook(const RuleBook&) = delete;

  /// In the order of evaluation; those that are audit_only stand last.
  const std::vector<Rule>& rules() const { return rules_; }
  const RuleIndex& index() const { return *index_; }
  /// Of the audit_only rules; their numbers begin after the others'. Null where there are none.
  const RuleIndex* auditIndex() const { return audit_index_.get(); }
  size_t deciding() const { return deciding_; }

  std::vector<policy::RuleInfo> infos() const;
  std::vector<std::string> ownedHeaders() const;
  std::vector<std::string_view> policies() const;

 private:
  std::vector<Rule> rules_;
  size_t deciding_ = 0;
  std::unique_ptr<RuleIndex> index_;
  std::unique_ptr<RuleIndex> audit_index_;
};

/// Evaluates a book for one worker.
class RuleEvaluator : public policy::Evaluator {
 public:
  explicit RuleEvaluator(const RuleBook& book) : book_(book) {}
  void evaluate(policy::AttributeReader& reader, policy::Verdict& out) final;
  void audit(policy::AttributeReader& reader, policy::Verdict& out) final;
  void explain(policy::AttributeReader& reader, std::vector<policy::RuleTrace>& out) final;

 protected:
  enum class Answer : uint8_t {
    kNo,
    kYes,
    kPermit,
    kRefuse,
    kAbstain,
    kFailed,  ///< an error, which is noted in the verdict
    kSpent,   ///< the budget is gone: nothing is evaluated any more
  };
  /// A decision begins: whatever conditions cost is counted from here.
  virtual void begin() {}
  /// Runs the condition of rule `number` (REQUIRES: it has one), whose path pattern the reader knows. Sets reasons.
  Answer askOrAssume(uint32_t number, const Rule& rule, policy::AttributeReader& reader, policy::Verdict& out);
  virtual Answer ask(uint32_t number, policy::AttributeReader& reader, policy::Verdict& out);
  /// As ask(), without memory or suspension, noting how it went. `reads` is what was read.
  virtual void trace(uint32_t number, policy::AttributeReader& reader, policy::RuleTrace& out);
  const RuleBook& book() const { return book_; }

 private:
  void decide(policy::AttributeReader& reader, policy::Verdict& out);
  static void applyRule(const Rule& rule, policy::Effect effect, policy::Verdict& out);

  const RuleBook& book_;
  RuleIndex::Search search_;
  policy::Verdict scratch_;
  std::string permit_reason_;
  std::string missed_reason_;
};

}  // namespace yett::rule
