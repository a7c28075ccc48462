// All engines of a configuration, and the one place where their verdicts become a decision.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "policy/rule_engine.h"

namespace yett::policy {

struct LoadedEngine {
  std::string name;
  bool veto = false;  ///< may only deny: its allow counts as abstain
  std::shared_ptr<const RuleSet> rules;
};

/// Immutable; shared by the workers.
class PolicySet {
 public:
  PolicySet(std::vector<LoadedEngine> engines, Budget budget);
  const std::vector<LoadedEngine>& engines() const { return engines_; }
  const std::string& digest() const { return digest_; }
  const Budget& budget() const { return budget_; }
  /// Headers that any rule of any engine sets: no client may send them.
  const std::vector<std::string>& ownedHeaders() const { return owned_headers_; }
  /// As RuleSet::clockState(), of all engines.
  uint64_t clockState(int64_t seconds) const;

 private:
  std::vector<LoadedEngine> engines_;
  Budget budget_;
  std::string digest_;
  std::vector<std::string> owned_headers_;
};

/// One worker's evaluators of one set. One thread; created and destroyed outside the event loops.
class PolicyEvaluator {
 public:
  /// The budget of `options` and the engine's name come from the set.
  static Result<std::unique_ptr<PolicyEvaluator>> create(std::shared_ptr<const PolicySet> set,
                                                         EvaluatorOptions options = {});

  /// Decides. Default deny; a deny that applies wins; any engine's error denies. Fills `out`; the reader then holds
  /// what was read.
  void decide(const CheckRequest& request, AttributeReader& reader, Decision& out);
  void decide(const CheckRequest&& request, AttributeReader& reader, Decision& out) = delete;
  /// Evaluates every rule of every engine separately.
  void explain(const CheckRequest& request, AttributeReader& reader, std::vector<RuleTrace>& out);
  const PolicySet& set() const { return *set_; }
  /// One engine's evaluator, in the order of the set: for tools.
  Evaluator& engine(size_t i) { return *evaluators_[i]; }

 private:
  explicit PolicyEvaluator(std::shared_ptr<const PolicySet> set) : set_(std::move(set)) {}
  std::shared_ptr<const PolicySet> set_;
  std::vector<std::unique_ptr<Evaluator>> evaluators_;
  std::vector<Verdict> verdicts_;
};

/// Combines the verdicts of `engines` (in the same order). Exposed for its tests.
void combine(const std::vector<LoadedEngine>& engines, std::vector<Verdict>& verdicts, Decision& out);

}  // namespace yett::policy
