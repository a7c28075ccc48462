// The limits of an exchange: time, memory, and the policy in force.
#include <algorithm>

#include "base/clock.h"
#include "http/stream.h"
#include "proxy/exchange.h"
#include "proxy/session.h"
#include "serve/downstream.h"

namespace yett::proxy {

base::Millis Exchange::timeLeft() const {
  const int64_t now = worker_.loop.nowMillis() * 1'000'000;
  base::Millis lifetime =
      call_.listener->config.timeouts.lifetime - base::Millis((now - call_.began_nanos) / 1'000'000);
  if (call_.tokens_until != INT64_MAX)
    lifetime = std::min(lifetime, base::Millis(call_.tokens_until * 1000 - base::wallMicros() / 1000));
  const int64_t deadline = call_.grpc() != nullptr ? call_.grpc()->deadline_nanos : 0;
  if (deadline == 0) return lifetime;
  return std::min(lifetime, base::Millis((deadline - now + 999'999) / 1'000'000));
}

base::Millis Exchange::patience() const {
  const auto& timeouts = call_.listener->config.timeouts;
  if (answered_ && !down_->writable()) return timeouts.body;
  // A gRPC service may send its response head only with its first message, as late as the deadline allows.
  if (answered_ || call_.grpc() != nullptr)
    return call_.route->idle_timeout.count() > 0 ? call_.route->idle_timeout : timeouts.stream_idle;
  return uploading() ? timeouts.body : call_.route->response_timeout;
}

void Exchange::arm(base::Millis limit) {
  worker_.loop.schedule(timer_, std::max(base::Millis(1), std::min(limit, timeLeft())));
}

void Exchange::progress() {
  last_progress_ = worker_.loop.nowMillis();
}

void Exchange::onTimer() {
  if (!live()) return;
  if (timeLeft().count() <= 0) {
    const auto* grpc = call_.grpc();
    if (forwarding_) forwarding_->suspect(false);
    if (grpc != nullptr && grpc->deadline_nanos > 0 && base::steadyNanos() >= grpc->deadline_nanos)
      return fail(Cause::kDeadline, "the deadline that the caller set has passed");
    const bool token_over = base::wallMicros() / 1'000'000 >= call_.tokens_until;
    if (token_over && phase_ == Phase::kBody) return act(Pipeline::onBody(call_, worker_));  // which refuses, recorded
    if (token_over) return fail(Cause::kTokenExpired, "the token has expired");
    return fail(Cause::kLifetime, "the exchange has reached its maximum lifetime");
  }
  if (phase_ == Phase::kRecord) return reply(Cause::kAuditUnavailable);
  const auto& config = call_.listener->config;
  const int64_t now = worker_.loop.nowMillis();
  base::Millis left = patience() - base::Millis(now - last_progress_);
  if (phase_ == Phase::kBody) left = std::min(left, body_.timeLeft(now, config.timeouts.body, config.limits.body_rate));
  if (left.count() > 0) return arm(left);
  if (phase_ == Phase::kBody) return onReset(http::ResetCause::kTimeout, "the request body took too long");
  const bool service_waits = forwarding_ && forwarding_->connected() && forwarding_->writable();
  if (uploading() && !answered_ && call_.grpc() == nullptr && service_waits)
    return onReset(http::ResetCause::kTimeout, "the request body took too long");
  if (answered_ && !down_->writable()) return fail(Cause::kClientTimeout, "the client does not read the response");
  if (forwarding_) forwarding_->suspect(true);
  fail(Cause::kUpstreamTimeout, answered_ || call_.grpc() != nullptr ? "no data within the stream's idle timeout"
                                                                     : "no response within its time limit");
}

bool Exchange::underWay() const {
  if (phase_ == Phase::kRecord) return pending_->decision().open();
  return phase_ == Phase::kForwarded && forwarding_->permit().good() &&
         (forwarding_->connected() || forwarding_->waiting());
}

void Exchange::decideAgain(serve::Again why) {
  const Cause cause = why == serve::Again::kTime ? Cause::kOutOfHours : Cause::kNewerPolicy;
  if (const auto ended = Pipeline::recheck(call_, worker_, cause)) end(*ended);
}

void Exchange::beat(int64_t now_nanos, base::Millis interval) {
  if (underWay() && now_nanos - call_.began_nanos >= interval.count() * 1'000'000)
    decision().beat({base::wallMicros(), account_.bytes_in, account_.bytes_out});
}

bool Exchange::waitsForClient() const {
  return live() && answered_ && down_ != nullptr && !down_->writable();
}

size_t Exchange::heldBytes() const {
  return (down_ != nullptr ? down_->heldBytes() : 0) + heldAtService();
}

void Exchange::cutForMemory() {
  release();
  account_.cause = Cause::kClientTooSlow;
  account_.detail = "unread responses have used up their memory budget, and this one is among the slowest";
  http::ServerStream* down = down_;
  finish(Cause::kClientTooSlow);
  down->reset();
}

serve::Downstream* Exchange::downstream() const {
  return released ? nullptr : call_.session;
}

}  // namespace yett::proxy
