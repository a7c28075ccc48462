// All rules of one engine in the order of evaluation, with their index; and the one way to evaluate them, whatever
// language their conditions are written in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/rule_engine.h"
#include "rule/rule.h"
#include "rule/rule_index.h"
#include "target/segment_pattern.h"

namespace yett::rule {

/// Immutable; any thread.
class RuleBook {
 public:
  explicit RuleBook(std::vector<Rule> rules);
  RuleBook(const RuleBook&) = delete;

  /// In the order of evaluation; audit_only rules come last.
  const std::vector<Rule>& rules() const { return rules_; }
  const RuleIndex& index() const { return *index_; }
  /// The index of the audit_only rules, which follow the others in rules(). Null if there are none.
  const RuleIndex* auditIndex() const { return audit_index_.get(); }
  size_t deciding() const { return deciding_; }

  std::vector<policy::RuleInfo> infos() const;
  std::vector<std::string> ownedHeaders() const;
  /// The policy of each slot.
  std::vector<std::string_view> policies() const;
  /// What an engine may remember the results of: the rules, by number, and after them their computed headers.
  size_t slots() const { return slots_; }
  /// Differs between two times (seconds since 1970) if the `hours` of any rule began or ended between them. 0 if no
  /// rule has `hours`.
  uint64_t clockState(int64_t seconds) const;

 private:
  std::vector<Rule> rules_;
  size_t deciding_ = 0;
  size_t slots_ = 0;
  std::vector<std::shared_ptr<const Hours>> hours_;  // each once
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
    kFailed,  ///< an error, which is recorded in the verdict
    kSpent,   ///< the budget is used up: evaluation stops
  };
  /// Called when a decision begins: the cost of conditions counts from here.
  virtual void begin() {}
  /// Runs the condition of rule `number` (REQUIRES: it has one). The reader has its path pattern. Sets reasons.
  Answer askOrAssume(uint32_t number, const Rule& rule, policy::AttributeReader& reader, policy::Verdict& out);
  virtual Answer ask(uint32_t number, policy::AttributeReader& reader, policy::Verdict& out);
  /// Runs the function of a computed header. kYes, and the value; kFailed; or kSpent.
  virtual Answer compute(uint32_t slot, const Rule& rule, policy::AttributeReader& reader, policy::Verdict& out,
                         std::string& value);
  /// Like ask(), without memory or shortened budgets. Records the outcome and the reads in `out`.
  virtual void trace(uint32_t number, policy::AttributeReader& reader, policy::RuleTrace& out);
  const RuleBook& book() const { return book_; }

 private:
  void decide(policy::AttributeReader& reader, policy::Verdict& out);
  [[gnu::noinline]] Answer computeHeaders(const Rule& rule, policy::AttributeReader& reader, policy::Verdict& out);
  Answer copyHeader(const Rule& rule, const ComputedHeader& header, policy::AttributeReader& reader,
                    policy::Verdict& out, std::string& value);
  void explainHeaders(const Rule& rule, const target::SegmentPattern* path, policy::AttributeReader& reader,
                      policy::RuleTrace& out);
  void applyRule(const Rule& rule, policy::Effect effect, policy::Verdict& out) const;

  const RuleBook& book_;
  RuleIndex::Search search_;
  policy::Verdict scratch_;
  policy::Obligations computed_;  // of the rule that was evaluated last
  std::string permit_reason_;
  std::string missed_reason_;
};

}  // namespace yett::rule
