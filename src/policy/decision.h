// The results: one engine's verdict, and the decision that combines all verdicts. Deny is a result, not an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace yett::policy {

enum class Effect : uint8_t { kAllow, kDeny, kAbstain, kError };

/// What an allow makes the proxy change: headers of the upstream request. Names in lower case.
struct Obligations {
  std::vector<std::pair<std::string, std::string>> set_headers;
  std::vector<std::string> remove_headers;
  size_t computed = 0;  ///< how many of set_headers, at its end, were computed from the request
};

/// Adds to a list of errors, joined by "; "; a long list is cut with "; and more".
void joinErrors(std::string& errors, std::string_view more);

/// One engine's result. Views point into the engine's immutable set, or its evaluator, and live as long as these.
struct Verdict {
  Effect effect = Effect::kAbstain;
  std::string_view policy;
  std::string_view rule;
  const Obligations* obligations = nullptr;  ///< of an allow; null for none
  int status = 403;                          ///< of a deny
  std::string public_reason;                 ///< of a deny: for the caller
  std::string reason;                        ///< for the operator
  std::string errors;                        ///< what went wrong on the way, joined by "; "
  std::string would_deny;                    ///< "policy/rule" of an audit_only deny that applies
  uint32_t fresh = 0;                        ///< conditions that ran
  uint32_t remembered = 0;                   ///< conditions whose result was remembered

  void clear();
  void clearTexts() {  // nearly always empty
    if (!public_reason.empty()) public_reason.clear();
    if (!reason.empty()) reason.clear();
    if (!errors.empty()) errors.clear();
    if (!would_deny.empty()) would_deny.clear();
  }
  void addError(std::string_view policy, std::string_view rule, std::string_view what);
};

/// The combined result, and its reason. Views point into the policy set or its evaluators, and live as long as these.
struct Decision {
  bool allow = false;
  std::string_view policy;  ///< "" for the default deny
  std::string_view rule;    ///< "default" for the default deny, "error" if an engine failed
  std::string_view engine;
  std::string_view policy_digest;
  const Obligations* obligations = nullptr;  ///< of an allow; null for none
  int status = 403;
  bool cached = false;  ///< it used conditions, and all their results were remembered
  std::string public_reason;
  std::string reason;
  std::string errors;
  std::string would_deny;
  int64_t eval_nanos = 0;

  void clear();
  void clearTexts() {  // nearly always empty
    if (!public_reason.empty()) public_reason.clear();
    if (!reason.empty()) reason.clear();
    if (!errors.empty()) errors.clear();
    if (!would_deny.empty()) would_deny.clear();
  }
};

}  // namespace yett::policy
