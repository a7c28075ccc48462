#include "policy/decision.h"

namespace yett::policy {

void Verdict::clear() {
  effect = Effect::kAbstain;
  policy = rule = {};
  obligations = nullptr;
  status = 403;
  fresh = remembered = 0;
  clearTexts();
}

void Verdict::addError(std::string_view policy_name, std::string_view rule_name, std::string_view what) {
  if (!errors.empty()) errors += "; ";
  errors.append(policy_name).append("/").append(rule_name).append(": ").append(what.substr(0, 1024));
}

void Decision::clear() {
  allow = false;
  policy = rule = engine = policy_digest = {};
  obligations = nullptr;
  status = 403;
  cached = false;
  clearTexts();
  eval_nanos = 0;
}

}  // namespace yett::policy
