// Nothing is forwarded without a Permit, and only the authorization stage makes one. test/check_compile.py compiles this
// once for each CASE: the first must compile; each of the others must fail with an error that matches its pattern.
#include "authz/authorizer.h"
#include "proxy/forwarding.h"
#include "serve/upstreams.h"

using namespace yett;

void tryIt(authz::Permit permit, authz::Pending pending, proxy::Call& call, proxy::Worker& worker,
           proxy::Forwarding::Kept& kept, proxy::ForwardingEvents& events, serve::Upstreams& upstreams) {
#if CASE == 0
  proxy::Forwarding forwarding(std::move(permit), call, worker, kept, events);
  upstreams.pool(forwarding.permit(), "cluster");
#elif CASE == 1  // error: no matching function for call to .*Forwarding::Forwarding
  proxy::Forwarding forwarding(call, worker, kept, events);
#elif CASE == 2  // error: (cannot bind rvalue reference|no matching function for call)
  proxy::Forwarding forwarding(permit, call, worker, kept, events);  // two requests, one permit
#elif CASE == 3  // error: no matching function for call to .*Permit::Permit\(\)
  authz::Permit made;
#elif CASE == 4  // error: (deleted|no matching function)
  authz::Permit copied(permit);
#elif CASE == 5  // error: private
  authz::Permit early(std::move(pending.permit_));
#elif CASE == 6  // error: private
  upstreams.pools_.find("cluster");
#elif CASE == 7  // error: (no matching function|could not convert|too few arguments|invalid initialization)
  upstreams.pool("cluster");
#elif CASE == 8  // error: private
  authz::Permit forged(base::UuidText{}, nullptr, authz::OpenDecision{});
#endif
}
