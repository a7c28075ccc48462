// Forwarding: whether, when and where a request is tried again.
#include <algorithm>
#include <random>

#include "base/units.h"
#include "http/client_codec.h"
#include "proxy/forwarding.h"
#include "proxy/session.h"
#include "upstream/cluster.h"

namespace yett::proxy {
namespace {

bool isIdempotent(std::string_view m) {  // RFC 9110 9.2.2
  return m == "GET" || m == "HEAD" || m == "OPTIONS" || m == "TRACE" || m == "PUT" || m == "DELETE";
}

// Doubled for each attempt up to a quarter of a second, and shortened by up to a half, so that callers whose requests
// failed together do not come back together.
base::Millis backOff(int attempt) {
  constexpr int64_t kFirst = 25, kMost = 250;
  thread_local std::minstd_rand random{std::random_device{}()};
  const int64_t most = std::min(kMost, kFirst << std::min(attempt - 1, 8));
  return base::Millis(std::uniform_int_distribution<int64_t>(most / 2, most)(random));
}

}  // namespace

// A kept-alive connection may close before the service saw the request. Once, at once, and only for requests that are
// idempotent, or that the service says it did not process (RFC 9113 8.7).
bool Forwarding::mayRepeat(http::ResetCause cause) const {
  if (repeated_ || body_sent_ || answered_ || !lease_ || call_.request.wants_websocket) return false;
  if (cause == http::ResetCause::kRefused) return true;
  return cause == http::ResetCause::kPeerClosed && isIdempotent(call_.request.method) && !lease_.fresh() &&
         !lease_.stream().responseBegun();
}

// Whether the route allows another attempt now. `sent`: the service may have processed this one.
bool Forwarding::mayRetry(bool sent) {
  const RetryConfig& retry = call_.route->retry;
  if (attempt_ > retry.num_retries || answered_ || call_.request.wants_websocket || !permit_.good()) return false;
  const auto& methods = retry.methods;
  const std::string_view method = call_.request.method;
  const bool listed = std::find(methods.begin(), methods.end(), method) != methods.end();
  if (sent && !isIdempotent(method) && !listed) return false;
  // A body is sent again only if all of it is here, or nothing of it was sent.
  if (streamed_ || (body_sent_ && !call_.request_ended)) return false;
  return budget_ != nullptr && budget_->take(worker_.loop.nowMillis());
}

// In `strict` mode, what is sent again is recorded first.
void Forwarding::recordAttempt(int number, const std::string& why) {
  const std::string where = lease_ ? " (" + lease_.endpoint() + ")" : "";
  ticket_ = worker_.authorizer.recordAttempt(permit_, number, why + where);
  record_until_ = worker_.loop.nowMillis() + worker_.authorizer.commitTimeout().count();
}

void Forwarding::again() {
  constexpr base::Millis kPoll{8};
  if (ticket_ != 0 && !worker_.authorizer.isDurable(ticket_)) {
    if (worker_.loop.nowMillis() < record_until_) return worker_.loop.schedule(again_, kPoll);
    return events_.onFailure(Cause::kAuditUnavailable, "the next attempt could not be recorded");
  }
  ticket_ = 0;
  acquire(std::exchange(fresh_next_, false));
}

void Forwarding::retry(const std::string& why) {
  recordAttempt(attempt_ + (repeated_ ? 2 : 1), why);
  if (lease_) avoid_ = lease_.where();
  lease_.release();
  try_timer_.cancel();
  events_.onSeeking();
  worker_.counts.retry(call_.clusterName());
  worker_.loop.schedule(again_, backOff(attempt_));
  ++attempt_;
}

// The attempt number, for the service; the first has none.
void Forwarding::tellAttempt() {
  if (attempt_ == 1) return;
  const bool told = !kept_.attempt.empty();
  kept_.attempt.assign(1, static_cast<char>('0' + std::min(attempt_, 9)));
  if (!told) kept_.annotations.add("x-yett-attempt", kept_.attempt);
}

// From the whole request on: how long an upload takes is up to the caller. Calls and tunnels may be silent for long.
void Forwarding::limitTry() {
  const auto limit = call_.route->retry.per_try_timeout;
  const bool plain = call_.grpc() == nullptr && !call_.request.wants_websocket;
  if (lease_ && limit.count() > 0 && !answered_ && plain) worker_.loop.schedule(try_timer_, limit);
}

void Forwarding::onTryTimeout() {
  if (!lease_ || answered_) return;
  lease_.failed("no answer within per_try_timeout");
  lease_.leave();
  lease_.suspect();
  const auto& statuses = call_.route->retry.statuses;
  const bool wanted = std::find(statuses.begin(), statuses.end(), 504) != statuses.end();
  if (wanted && mayRetry(true)) return retry("no answer within per_try_timeout");
  lease_.release();
  events_.onFailure(Cause::kUpstreamTimeout, "no response within per_try_timeout");
}

}  // namespace yett::proxy
