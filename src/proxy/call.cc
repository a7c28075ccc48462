#include "proxy/call.h"

namespace yett::proxy {

void Call::clear() {
  session = nullptr;
  request.clear();
  listener.reset();
  principal.reset();
  kind = PlainCall{};
  route = body_route = nullptr;
  split_cluster = nullptr;
  asked_tokens.clear();
  cookies.clear();
  tokens.clear();
  token_headers.clear();
  if (may_forward) forwarded = {};
  forwarder = may_forward = false;
  token_refusal = Cause::kNone;
  token_why.clear();
  tokens_until = INT64_MAX;
  headers.clear();
  seen_body = {};
  request_ended = waited = false;
  decided.id = {};
  decided.policy.clear();
  decided.rule.clear();
  shadow.clear();
  retry_after = 0;
  began_wall = began_nanos = decided_nanos = 0;
}

}  // namespace yett::proxy
