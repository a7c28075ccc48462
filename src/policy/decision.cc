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

void joinErrors(std::string& errors, std::string_view more) {
  constexpr size_t kMax = 4096;  // hundreds of rules may fail on the same request
  constexpr std::string_view kCut = "; and more";
  if (more.empty() || errors.ends_with(kCut)) return;
  if (errors.size() + more.size() > kMax) return void(errors += errors.empty() ? more.substr(0, kMax) : kCut);
  if (!errors.empty()) errors += "; ";
  errors += more;
}

void Verdict::addError(std::string_view policy_name, std::string_view rule_name, std::string_view what) {
  std::string error(policy_name);
  error.append("/").append(rule_name).append(": ").append(what.substr(0, 1024));
  joinErrors(errors, error);
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
