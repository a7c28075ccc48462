// The answers: one engine's verdict, and the decision that all verdicts combine to. Deny is an answer, not an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace yett::policy {

enum class Effect : uint8_t { kAllow, kDeny, kAbstain, kError };

/// What one engine says. Views point into the engine's immutable set.
struct Verdict {
  Effect effect = Effect::kAbstain;
  std::string_view policy;
  std::string_view rule;
  std::string_view public_reason;
  int status = 403;    ///< of a deny
  std::string reason;  ///< for the operator
  std::string errors;  ///< what went wrong on the way, joined by "; "

  void clear();
  void addError(std::string_view policy, std::string_view rule, std::string_view what);
};

/// What will be done, and why. Views point into the policy set it was made from.
struct Decision {
  bool allow = false;
  std::string_view policy;  ///< "" by default deny
  std::string_view rule;    ///< "default" by default deny, "error" where an engine failed
  std::string_view engine;
  std::string_view public_reason;
  std::string_view policy_digest;
  int status = 403;
  std::string reason;
  std::string errors;
  int64_t eval_nanos = 0;

  void clear();
};

}  // namespace yett::policy
