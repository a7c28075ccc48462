// What the policy in the shadow is asked once an answer is out.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "authz/authorizer.h"
#include "identity/principal.h"
#include "policy/check_request.h"

namespace yett::proxy {

/// Keeps a question beyond the decision that it was made for: pins or copies what it refers to. Belongs to its call.
class Shadow {
 public:
  /// `owned`: headers that the policy in the shadow alone may set: left out, as they would be were it in force.
  void ask(const policy::CheckRequest& check, std::shared_ptr<const identity::Principal> principal,
           std::span<const std::string> owned, bool allowed);
  bool asked() const { return asked_; }
  /// Evaluates: what the policy in the shadow would have done, as Authorizer::askShadow() says it.
  std::string answer(authz::Authorizer& authorizer);
  void clear();

 private:
  bool asked_ = false;
  bool allowed_ = false;
  policy::CheckRequest check_;
  std::shared_ptr<const identity::Principal> principal_;
  std::vector<policy::Header> headers_;
  std::string sni_;
  std::string body_;
  policy::Body seen_body_;
};

}  // namespace yett::proxy
