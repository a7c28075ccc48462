#include "policy/policy_set.h"

#include <algorithm>
#include <tuple>

#include "base/clock.h"
#include "base/hash.h"
#include "base/sha256.h"

namespace yett::policy {

uint64_t PolicySet::clockState(int64_t seconds) const {
  uint64_t out = 0;
  for (const auto& engine : engines_) {
    const uint64_t state = engine.rules->clockState(seconds);
    if (state != 0) out = base::mixed(out ^ state, 0x9e3779b97f4a7c15) | 1;
  }
  return out;
}

PolicySet::PolicySet(std::vector<LoadedEngine> engines, Budget budget) : engines_(std::move(engines)), budget_(budget) {
  std::string all = std::to_string(budget.instructions) + " " + std::to_string(budget.memory_bytes) + "\n";
  for (const auto& engine : engines_)
    all += engine.name + (engine.veto ? " veto " : " ") + engine.rules->digest() + "\n";
  digest_ = base::sha256Hex(all);
  for (const auto& engine : engines_) {
    for (auto& header : engine.rules->ownedHeaders()) owned_headers_.push_back(std::move(header));
  }
  std::sort(owned_headers_.begin(), owned_headers_.end());
  owned_headers_.erase(std::unique(owned_headers_.begin(), owned_headers_.end()), owned_headers_.end());
}

const std::map<std::string, std::string>& RuleSet::files() const {
  static const std::map<std::string, std::string> kNone;
  return kNone;
}

bool RuleSet::isOf(const PolicySource&) const {
  return false;
}

void Evaluator::audit(AttributeReader&, Verdict&) {}
void Evaluator::explain(AttributeReader&, std::vector<RuleTrace>&) {}

Result<std::unique_ptr<PolicyEvaluator>> PolicyEvaluator::create(std::shared_ptr<const PolicySet> set,
                                                                 EvaluatorOptions options) {
  std::unique_ptr<PolicyEvaluator> out(new PolicyEvaluator(std::move(set)));
  options.budget = out->set_->budget();
  for (const auto& engine : out->set_->engines()) {
    options.engine = engine.name;
    out->evaluators_.push_back(TRY(engine.rules->makeEvaluator(options)));
  }
  out->verdicts_.resize(out->evaluators_.size());
  return out;
}

void combine(const std::vector<LoadedEngine>& engines, std::vector<Verdict>& verdicts, Decision& out) {
  const Verdict* chosen = nullptr;
  bool failed = false;
  // If several deny (or allow), the one whose (policy, rule) comes first bytewise is recorded, so that engine order
  // does not matter.
  const auto consider = [&](size_t i, Effect effect) {
    const Verdict& v = verdicts[i];
    if (v.effect != effect) return;
    if (chosen != nullptr && std::tie(chosen->policy, chosen->rule) <= std::tie(v.policy, v.rule)) return;
    chosen = &v;
    out.engine = engines[i].name;
  };
  for (size_t i = 0; i < verdicts.size(); ++i) {
    joinErrors(out.errors, verdicts[i].errors);
    if (verdicts[i].effect == Effect::kError) failed = true;
    consider(i, Effect::kDeny);
  }
  if (chosen == nullptr && failed) {
    out.rule = "error";
    out.reason = "a rule engine failed";
    return;
  }
  if (chosen == nullptr) {
    for (size_t i = 0; i < verdicts.size(); ++i) {
      if (!engines[i].veto) consider(i, Effect::kAllow);
    }
    out.allow = chosen != nullptr;
  }
  if (chosen == nullptr) {
    out.rule = "default";
    for (const auto& v : verdicts) {
      if (out.reason.empty()) out.reason = v.reason;  // why the nearest allow did not apply
    }
    return;
  }
  out.policy = chosen->policy;
  out.rule = chosen->rule;
  if (!chosen->reason.empty()) out.reason = chosen->reason;
  if (!chosen->public_reason.empty()) out.public_reason = chosen->public_reason;
  out.status = chosen->status;
  if (out.allow) out.obligations = chosen->obligations;
}

void PolicyEvaluator::decide(const CheckRequest& request, AttributeReader& reader, Decision& out) {
  const int64_t began = base::steadyNanos();
  out.clear();
  reader.reset(request);
  for (size_t i = 0; i < evaluators_.size(); ++i) {
    verdicts_[i].clear();
    evaluators_[i]->evaluate(reader, verdicts_[i]);
  }
  combine(set_->engines(), verdicts_, out);
  uint32_t fresh = 0;
  uint32_t remembered = 0;
  for (const auto& verdict : verdicts_) {
    fresh += verdict.fresh;
    remembered += verdict.remembered;
  }
  out.cached = remembered > 0 && fresh == 0;
  for (size_t i = 0; i < evaluators_.size() && out.allow && out.would_deny.empty(); ++i) {
    verdicts_[i].errors.clear();
    evaluators_[i]->audit(reader, verdicts_[i]);
    out.would_deny = verdicts_[i].would_deny;
    joinErrors(out.errors, verdicts_[i].errors);
  }
  out.policy_digest = set_->digest();
  out.eval_nanos = base::steadyNanos() - began;
}

void PolicyEvaluator::explain(const CheckRequest& request, AttributeReader& reader, std::vector<RuleTrace>& out) {
  for (auto& evaluator : evaluators_) {
    reader.reset(request);
    evaluator->explain(reader, out);
  }
}

}  // namespace yett::policy
