// The question for the shadow policy, which is asked after the response was sent.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "authz/authorizer.h"
#include "identity/principal.h"
#include "policy/check_request.h"

namespace yett::proxy {

/// Keeps a question for longer than its decision: pins or copies what it refers to. Belongs to its call.
class Shadow {
 public:
  /// `owned`: headers that only the shadow policy may set; left out, as if it were in force.
  void ask(const policy::CheckRequest& check, std::shared_ptr<const identity::Principal> principal,
           std::span<const std::string> owned, bool allowed);
  bool asked() const { return asked_; }
  /// Evaluates what the shadow policy would have done; returns the text of Authorizer::askShadow().
  std::string answer(authz::Authorizer& authorizer);
  void clear();

 private:
  bool asked_ = false;
  bool allowed_ = false;
  policy::CheckRequest check_;
  std::shared_ptr<const identity::Principal> principal_;
  std::vector<policy::Header> headers_;
  std::vector<policy::NamedToken> tokens_;
  policy::Forwarded forwarded_;
  std::string sni_;
  std::string body_;
  policy::Body seen_body_;
};

}  // namespace yett::proxy
