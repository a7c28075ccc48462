#include "proxy/shadow.h"

#include "request/headers.h"

namespace yett::proxy {

void Shadow::ask(const policy::CheckRequest& check, std::shared_ptr<const identity::Principal> principal,
                 std::span<const std::string> owned, bool allowed) {
  asked_ = true;
  allowed_ = allowed;
  check_ = check;
  principal_ = std::move(principal);
  check_.principal = principal_.get();
  // A copy: a recheck changes the exchange's own.
  headers_.clear();
  for (const auto& header : check.headers) {
    if (!request::isNamed(header.name, owned)) headers_.push_back(header);
  }
  check_.headers = headers_;
  tokens_.assign(check.tokens.begin(), check.tokens.end());
  check_.tokens = tokens_;
  if (check.forwarded != nullptr) {
    forwarded_ = *check.forwarded;
    check_.forwarded = &forwarded_;
  }
  sni_ = check.tls_sni;
  check_.tls_sni = sni_;
  if (check.body == nullptr) return;
  body_ = check.body->bytes;
  seen_body_ = *check.body;
  seen_body_.bytes = body_;
  check_.body = &seen_body_;
}

std::string Shadow::answer(authz::Authorizer& authorizer) {
  return authorizer.askShadow(check_, allowed_);
}

void Shadow::clear() {
  if (asked_) *this = {};
}

}  // namespace yett::proxy
