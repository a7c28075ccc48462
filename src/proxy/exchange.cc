#include "proxy/exchange.h"

#include <algorithm>

#include "base/clock.h"
#include "proxy/grpc.h"
#include "proxy/headers.h"
#include "proxy/pipeline.h"
#include "proxy/session.h"
#include "proxy/websocket.h"

namespace yett::proxy {

static constexpr size_t kMostKept = 64 << 10;  // of a buffer, for the next request

Exchange::Exchange(Worker& worker) : worker_(worker), timer_([this] { onTimer(); }) {}
Exchange::~Exchange() = default;

void Exchange::begin(Session& session, http::ServerStream& stream) {
  session_ = &session;
  serial_ = worker_.next_serial++;
  down_ = &stream;
  listener_ = session.listener();
  began_wall_ = base::wallMicros();
  began_nanos_ = base::steadyNanos();
  finished_ = false;
}

void Exchange::clear() {
  releaseUpstream();
  timer_.cancel();
  if (shadow_.asked) endWithShadow();
  decision_ = {};
  releaseBody();
  session_ = nullptr;
  down_ = nullptr;
  listener_.reset();
  route_ = body_route_ = nullptr;
  request_.clear();
  response_.clear();
  added_.clear();
  headers_.clear();
  for (auto* text : {&forwarded_for_, &forwarded_cert_, &trace_parent_, &effect_, &policy_, &rule_, &cause_, &detail_,
                     &upstream_name_, &websocket_key_, &websocket_accept_, &grpc_status_})
    text->clear();
  obliged_.clear();
  removed_.clear();
  id_ = told_id_ = {};
  serial_ = 0;
  status_ = 0;
  decided_nanos_ = bytes_in_ = bytes_out_ = last_progress_ = deadline_nanos_ = 0;
  waited_ = request_ended_ = body_sent_ = retried_ = response_begun_ = awaiting_record_ = grpc_ = tunnel_ =
      client_ended_ = upstream_ended_ = false;
  finished_ = true;
}

void Exchange::orphan() {
  if (finished_) return;
  releaseUpstream();
  cause_ = "aborted";
  finish("aborted");
}

void Exchange::onRequest() {
  progress();
  request_ended_ = false;
  grpc_ = isGrpc(request_);
  Pipeline::run(*this);
}

void Exchange::releaseBody() {
  if (held_body_ > 0) worker_.bodies.give(bodyOwner(), &session_->buffered_bodies, held_body_);
  held_body_ = 0;
  if (body_.capacity() > kMostKept) body_ = std::string();
  body_.clear();
  buffering_ = false;
}

// Whose share of the memory for bodies it takes: all anonymous callers have one.
const std::string& Exchange::bodyOwner() const {
  return session_->connection().principal()->id;
}

bool Exchange::holdBody(size_t bytes) {
  if (!worker_.bodies.take(bodyOwner(), &session_->buffered_bodies, bytes)) return false;
  held_body_ += bytes;
  return true;
}

bool Exchange::awaitsBody() const {
  return route_ != nullptr && body_route_->buffer_body > 0 && request_.framing != http::Framing::kNone &&
         !request_ended_;
}

void Exchange::waitForBody() {
  if (request_.framing == http::Framing::kLength && request_.content_length > body_route_->buffer_body)
    return reply(413, "body too large", "the body is larger than policy may see on this route");
  buffering_ = waited_ = true;
  buffering_since_ = worker_.loop.nowMillis();
  arm(listener_->config.timeouts.body);
  if (!request_.expects_continue) return;
  // The client waits for leave to send what policy wants to see; the service must not be asked for it again.
  http::ResponseHead leave;
  leave.status = 100;
  down_->sendInterim(leave);
  request_.expects_continue = false;
}

// However it comes, a body that waits has a least rate: whoever sends a byte now and then holds its memory for as long
// as he likes otherwise.
base::Millis Exchange::bodyTimeLeft() const {
  const uint64_t rate = listener_->config.limits.body_rate;
  if (rate == 0) return base::Millis::max();
  const auto earned = static_cast<int64_t>(body_.size() * 1000 / rate);
  const int64_t end = buffering_since_ + listener_->config.timeouts.body.count() + earned;
  return base::Millis(end - worker_.loop.nowMillis());
}

void Exchange::onBadRequest(int status, std::string_view why) {
  session_->tell("bad request", why);
  grpc_ = isGrpc(request_);
  reply(status, "bad request", why);
}

void Exchange::awaitRecord(const authz::Pending& pending) {
  awaiting_record_ = true;
  if (request_.framing != http::Framing::kNone || request_.wants_websocket) down_->pauseBody();
  arm(std::min(route_->response_timeout, worker_.authorizer.commitTimeout()));
  worker_.awaitRecord(*this, pending);
}

void Exchange::onRecord(const authz::Pending& pending) {
  if (finished_ || !awaiting_record_) return;
  awaiting_record_ = false;
  progress();
  Pipeline::resume(*this, pending);
}

void Exchange::acquire(bool fresh) {
  waiting_pool_ = worker_.pools.find(route_->cluster);
  if (waiting_pool_ == nullptr) return fail(503, "no upstream", "the cluster is gone");
  // What a client sends before the upstream agrees to a WebSocket waits, too.
  if (request_.framing != http::Framing::kNone || request_.wants_websocket) down_->pauseBody();
  arm(patience());
  const bool http2 = request_.version == http::Version::kHttp2;
  // A service may end the connection for a head that it finds too large, and with it what others have under way there.
  const bool alone = waiting_pool_->shares(http2) &&
                     http::headListSize(request_, added_) > waiting_pool_->cluster().config.max_request_head;
  waiting_pool_->acquire(upstream_, {fresh, http2, alone});
}

void Exchange::onLease(upstream::Lease lease) {
  if (finished_ || waiting_pool_ == nullptr) return;  // given back by its destructor
  if (!Pipeline::stillAllowed(*this)) return;         // the pool has been told
  waiting_pool_ = nullptr;
  lease_ = std::move(lease);
  upstream_name_ = lease_.endpoint();
  if (request_.wants_websocket && !lease_.http2()) {
    if (websocket_key_.empty()) websocket_key_ = webSocketKey();
    added_.add("sec-websocket-key", websocket_key_);
  }
  lease_.open(upstream_).sendRequest(request_, added_);
  progress();
  if (!body_.empty()) {
    body_sent_ = true;
    lease_.stream().sendBody(body_);
    if (!lease_) return;
  }
  if (request_.wants_websocket) return;  // the way out stays open, for what follows the upstream's agreement
  if (request_.framing == http::Framing::kNone || request_ended_) lease_.stream().sendEnd(requestTrailers());
  else down_->resumeBody();
}

void Exchange::onBody(std::string_view data) {
  bytes_in_ += static_cast<int64_t>(data.size());
  if (buffering_) {
    progress();
    const bool fits = body_.size() + data.size() <= body_route_->buffer_body;
    if (fits && holdBody(data.size())) return void(body_ += data);
    releaseBody();
    if (fits)
      return reply(503, "too many bodies",
                   "this caller's bodies have all the memory that bodies of one caller may have");
    return reply(413, "body too large", "the body is larger than policy may see on this route");
  }
  if (!lease_ || (request_.framing == http::Framing::kNone && !tunnel_)) return;  // nothing that was not announced
  body_sent_ = true;
  progress();
  lease_.stream().sendBody(data);
  if (lease_ && !lease_.stream().writable()) down_->pauseBody();
}

void Exchange::onEnd() {
  request_ended_ = true;
  if (finished_) return;
  if (buffering_) {
    buffering_ = false;
    timer_.cancel();
    return Pipeline::run(*this);
  }
  if (!lease_) return;
  progress();
  if (tunnel_) return endTunnelHalf(true);
  if (request_.framing != http::Framing::kNone) {
    lease_.stream().sendEnd(requestTrailers());
    arm(patience());
  }
}

// Policy has decided by what stood in the head. A service that merges trailers into its headers would see something
// else, so they pass only where the route says so.
const http::HeaderMap& Exchange::requestTrailers() {
  if (!route_->forward_trailers) request_.trailers.clear();
  else dropUntrustedTrailers(request_, worker_.authorizer.ownedHeaders());
  dropNamed(request_.trailers, removed_);
  return request_.trailers;
}

void Exchange::onWritable() {
  progress();
  if (!lease_) return;
  lease_.limitNextRead(down_->appetite());
  lease_.stream().resumeBody();
}

void Exchange::onReset(http::ResetCause cause, std::string_view detail) {
  if (finished_) return;
  releaseUpstream();
  detail_ = detail;
  if (cause == http::ResetCause::kPeerClosed) {
    cause_ = "client closed";
    return finish("client closed");
  }
  if (response_begun_) {
    cause_ = http::name(cause);
    down_->reset();
    return finish("aborted");
  }
  const int status = cause == http::ResetCause::kTooLarge ? 413 : cause == http::ResetCause::kTimeout ? 408 : 400;
  if (status == 400) session_->tell("bad request", detail);
  reply(status, http::name(cause), detail);
}

void Exchange::onUpstreamResponse() {
  progress();
  dropFromResponse(response_);
  if (response_.framing == http::Framing::kTunnel) return openTunnel();
  if (response_.status < 200) return down_->sendInterim(response_);
  if (request_.wants_websocket && request_.version == http::Version::kHttp2 && response_.status < 300)
    return fail(502, "malformed response", "the upstream answered a WebSocket handshake with neither 101 nor an error");
  response_begun_ = true;
  status_ = response_.status;
  down_->sendResponse(response_, {});
  const bool body = response_.framing != http::Framing::kNone &&
                    (response_.framing != http::Framing::kLength || response_.content_length > 0);
  if (body) pauseWhereFull();
}

// Nothing is taken from the service that the client cannot take.
void Exchange::pauseWhereFull() {
  if (!lease_ || finished_) return;
  if (down_->writable()) return lease_.limitNextRead(down_->appetite());
  lease_.stream().pauseBody();
  arm(patience());  // a client that takes nothing has less time than a stream that says nothing
}

void Exchange::onUpstreamBody(std::string_view data) {
  progress();
  bytes_out_ += static_cast<int64_t>(data.size());
  down_->sendBody(data);
  pauseWhereFull();
}

void Exchange::onUpstreamEnd() {
  if (tunnel_) return endTunnelHalf(false);
  // Released first: the end of the response may begin the next request on this connection.
  lease_.release();
  http::ServerStream* down = down_;
  finish("complete");
  down->sendEnd(response_.trailers);
}

void Exchange::onUpstreamReset(http::ResetCause cause, std::string_view detail) {
  const bool retry = mayRetry(cause);
  lease_.release();
  if (cause == http::ResetCause::kEnough && tunnel_ && upstream_ended_) return endTunnel();
  if (cause == http::ResetCause::kHeadTooLarge) return fail(431, "head too large for the service", detail);
  if (retry) {
    retried_ = true;
    return acquire(true);
  }
  fail(502, cause == http::ResetCause::kProtocolError ? "malformed response" : "upstream closed", detail);
}

// A kept-alive connection may close under a request that the service never saw. Only what is safe to send twice is (RFC
// 9110 9.2.2), or what the upstream says it did not look at (RFC 9113 8.7).
bool Exchange::mayRetry(http::ResetCause cause) const {
  if (retried_ || body_sent_ || response_begun_ || !lease_ || request_.wants_websocket) return false;
  if (cause == http::ResetCause::kRefused) return true;
  const auto m = request_.method;
  const bool idempotent = m == "GET" || m == "HEAD" || m == "OPTIONS" || m == "TRACE" || m == "PUT" || m == "DELETE";
  return cause == http::ResetCause::kPeerClosed && idempotent && !lease_.fresh() && !lease_.stream().responseBegun();
}

void Exchange::onUpstreamWritable() {
  progress();
  if (!finished_ && (!request_.wants_websocket || tunnel_)) down_->resumeBody();
}

base::Millis Exchange::timeLeft() const {
  const int64_t now = worker_.loop.nowMillis() * 1'000'000;
  const base::Millis lifetime = listener_->config.timeouts.lifetime - base::Millis((now - began_nanos_) / 1'000'000);
  if (deadline_nanos_ == 0) return lifetime;
  return std::min(lifetime, base::Millis((deadline_nanos_ - now + 999'999) / 1'000'000));
}

base::Millis Exchange::patience() const {
  const auto& timeouts = listener_->config.timeouts;
  if (response_begun_ && !down_->writable()) return timeouts.body;
  // A gRPC call may wait as long as its deadline lets it, and answer with its first message only.
  if (response_begun_ || grpc_) return route_->idle_timeout.count() > 0 ? route_->idle_timeout : timeouts.stream_idle;
  const bool uploading = !request_ended_ && request_.framing != http::Framing::kNone;
  return uploading ? timeouts.body : route_->response_timeout;
}

void Exchange::arm(base::Millis limit) {
  worker_.loop.schedule(timer_, std::max(base::Millis(1), std::min(limit, timeLeft())));
}

void Exchange::progress() {
  last_progress_ = worker_.loop.nowMillis();
}

void Exchange::onTimer() {
  if (finished_) return;
  if (timeLeft().count() <= 0) {
    if (deadline_nanos_ > 0 && base::steadyNanos() >= deadline_nanos_)
      return fail(504, kDeadline, "the deadline that the caller set has passed");
    return fail(504, "lifetime over", "the exchange has lasted as long as one may");
  }
  if (awaiting_record_) return reply(503, "audit unavailable", "the decision could not be recorded in time");
  base::Millis left = patience() - base::Millis(worker_.loop.nowMillis() - last_progress_);
  if (buffering_) left = std::min(left, bodyTimeLeft());
  if (left.count() > 0) return arm(left);
  if (buffering_) return onReset(http::ResetCause::kTimeout, "the request body took too long");
  const bool uploading = !request_ended_ && request_.framing != http::Framing::kNone;
  if (uploading && !response_begun_ && !grpc_ && lease_ && lease_.stream().writable())
    return onReset(http::ResetCause::kTimeout, "the request body took too long");
  if (response_begun_ && !down_->writable())
    return fail(504, "client timeout", "the client does not take the response");
  if (lease_) lease_.suspect();
  fail(504, "upstream timeout",
       response_begun_ || grpc_ ? "nothing came within the stream's idle limit" : "no response within its time limit");
}

void Exchange::cutForMemory() {
  releaseUpstream();
  cause_ = "client too slow";
  detail_ = "responses that nobody takes have used up their memory, and this one is among the slowest";
  http::ServerStream* down = down_;
  finish(cause_);
  down->reset();
}

void Exchange::endByPolicy(const authz::Refusal& refusal, std::string_view cause) {
  if (finished_) return;
  if (cause == kNewerPolicy) detail_ = "the policy changed";
  told_id_ = refusal.id;
  if (!response_begun_) return reply(refusal.status, cause, refusal.public_reason);
  releaseUpstream();
  cause_ = cause;
  cut(refusal.status, refusal.public_reason);
}

void Exchange::releaseUpstream() {
  awaiting_record_ = false;
  if (waiting_pool_ != nullptr) waiting_pool_->cancel(upstream_);
  waiting_pool_ = nullptr;
  lease_.release();
}

}  // namespace yett::proxy
