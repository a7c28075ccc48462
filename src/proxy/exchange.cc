#include "proxy/exchange.h"

#include <algorithm>

#include "authz/permit.h"
#include "base/check.h"
#include "base/clock.h"
#include "proxy/local_reply.h"
#include "proxy/session.h"
#include "request/grpc.h"

namespace yett::proxy {

Exchange::Exchange(Worker& worker) : worker_(worker), body_(worker.bodies, call_.body), timer_([this] { onTimer(); }) {}
Exchange::~Exchange() = default;

void Exchange::begin(Session& session, http::ServerStream& stream) {
  YETT_CHECK(phase_ == Phase::kIdle);
  phase_ = Phase::kHead;
  down_ = &stream;
  call_.session = &session;
  call_.listener = session.listener();
  call_.began_wall = base::wallMicros();
  call_.began_nanos = base::steadyNanos();
}

void Exchange::clear() {
  release();
  timer_.cancel();
  forwarding_.reset();
  pending_.reset();
  refused_ = {};
  body_.release();
  call_.clear();
  kept_.clear();
  account_.clear();
  websocket_accept_.clear();
  down_ = nullptr;
  last_progress_ = 0;
  answered_ = false;
  phase_ = Phase::kIdle;
}

void Exchange::settle() {
  account_.settle(call_, worker_, decision());
}

authz::OpenDecision& Exchange::decision() {
  if (forwarding_) return forwarding_->permit().decision();
  return pending_ ? pending_->decision() : refused_;
}

void Exchange::onRequest() {
  progress();
  act(Pipeline::onHead(call_, worker_));
}

void Exchange::onBadRequest(int status, std::string_view why) {
  call_.session->tell("bad request", why);
  Pipeline::authenticate(call_);
  Pipeline::classify(call_);
  reply(Cause::kBadRequest, why, status);
}

void Exchange::act(Next next) {
  if (std::holds_alternative<AwaitBody>(next)) return waitForBody();
  if (auto* pending = std::get_if<authz::Pending>(&next)) return awaitRecord(std::move(*pending));
  if (auto* permit = std::get_if<authz::Permit>(&next)) return forward(std::move(*permit));
  auto& stop = std::get<Stop>(next);
  refused_ = std::move(stop.decision);
  account_.told_id = stop.told_id;
  reply(stop.cause, stop.detail, stop.status);
}

void Exchange::waitForBody() {
  const auto& request = call_.request;
  if (request.framing == http::Framing::kLength && request.content_length > call_.body_route->buffer_body)
    return reply(Cause::kBodyTooLarge);
  phase_ = Phase::kBody;
  call_.waited = true;
  body_.begin(call_.principal->id, &call_.session->buffered_bodies, worker_.loop.nowMillis());
  arm(call_.listener->config.timeouts.body);
  if (!request.expects_continue) return;
  // The client waits for "100 Continue" to send the body that policy wants. The service must not be asked for it again.
  http::ResponseHead leave;
  leave.status = 100;
  down_->sendInterim(leave);
  call_.request.expects_continue = false;
  for (auto& field : call_.request.headers.fields()) {
    if (field.id == http::FieldId::kExpect) field.dropped = true;
  }
}

void Exchange::takeBody(std::string_view data) {
  progress();
  switch (body_.take(data, call_.body_route->buffer_body)) {
    case WaitingBody::Taken::kYes: return;
    case WaitingBody::Taken::kTooLarge: return reply(Cause::kBodyTooLarge);
    case WaitingBody::Taken::kNoRoom: return reply(Cause::kTooManyBodies);
  }
}

void Exchange::awaitRecord(authz::Pending pending) {
  phase_ = Phase::kRecord;
  if (call_.hasBody() || call_.request.wants_websocket) down_->pauseBody();
  arm(std::min(call_.route->response_timeout, worker_.authorizer.commitTimeout()));
  const uint64_t ticket = pending.ticket();
  pending_ = std::move(pending);
  worker_.subjects.awaitRecord(*this, ticket);
}

void Exchange::onRecord() {
  if (phase_ != Phase::kRecord) return;
  progress();
  authz::Pending pending = *std::move(pending_);
  pending_.reset();
  act(Pipeline::onRecord(call_, worker_, std::move(pending)));
}

void Exchange::forward(authz::Permit permit) {
  YETT_CHECK(live() && permit.good() && !forwarding_);
  phase_ = Phase::kForwarded;
  forwarding_.emplace(std::move(permit), call_, worker_, kept_, static_cast<ForwardingEvents&>(*this));
  Pipeline::annotate(call_, forwarding_->permit(), kept_.annotations);
  forwarding_->start();
}

void Exchange::onBody(std::string_view data) {
  account_.bytes_in += static_cast<int64_t>(data.size());
  if (phase_ == Phase::kBody) return takeBody(data);
  if (!forwarding_ || !forwarding_->connected()) return;
  if (!call_.hasBody() && !call_.tunnel()) return;  // ignore data that was not announced
  progress();
  forwarding_->sendBody(data);
  if (forwarding_->connected() && !forwarding_->writable()) down_->pauseBody();
}

void Exchange::onEnd() {
  call_.request_ended = true;
  if (phase_ == Phase::kBody) {
    body_.end();
    timer_.cancel();
    return act(Pipeline::onBody(call_, worker_));
  }
  if (phase_ != Phase::kForwarded || !forwarding_->connected()) return;
  progress();
  if (call_.tunnel()) return endTunnelHalf(true);
  if (!call_.hasBody()) return;
  forwarding_->sendEnd();
  arm(patience());
}

void Exchange::onWritable() {
  progress();
  if (forwarding_) forwarding_->resumeAnswer(down_->appetite());
}

void Exchange::onReset(http::ResetCause reset, std::string_view detail) {
  if (!live()) return;
  // A client that gives up early says nothing about the service.
  constexpr int64_t kMoment = 500;
  if (forwarding_ && reset == http::ResetCause::kPeerClosed && !answered_ &&
      worker_.loop.nowMillis() - last_progress_ >= kMoment)
    forwarding_->suspect(false);
  release();
  account_.detail = detail;
  if (reset == http::ResetCause::kPeerClosed) {
    account_.cause = Cause::kClientClosed;
    return finish(Cause::kClientClosed);
  }
  const Cause cause = causeOf(reset);
  if (answered_) {
    account_.cause = cause;
    down_->reset();
    return finish(Cause::kAborted);
  }
  if (cause == Cause::kRequestBroken) call_.session->tell("bad request", detail);
  reply(cause, detail);
}

void Exchange::orphan() {
  if (!live()) return;
  release();
  account_.cause = Cause::kAborted;
  finish(Cause::kAborted);
}

void Exchange::onSeeking() {
  // Data that a client sends before the service accepts a WebSocket also waits.
  if (call_.hasBody() || call_.request.wants_websocket) down_->pauseBody();
  const bool first = !forwarding_ || forwarding_->attempt() == 1;  // all attempts share the route's time
  arm(first ? patience() : patience() - base::Millis(worker_.loop.nowMillis() - last_progress_));
}

bool Exchange::onConnection(const std::string& endpoint) {
  if (const auto ended = Pipeline::stillAllowed(call_, worker_)) {
    end(*ended);
    return false;
  }
  if (!account_.upstream.empty()) account_.upstream += ", ";
  if (call_.split_cluster != nullptr) account_.upstream += *call_.split_cluster + " ";
  account_.upstream += endpoint;
  return true;
}

void Exchange::onSent() {
  if (forwarding_->attempt() == 1) progress();
  const bool more = call_.hasBody() && !call_.request_ended && !call_.request.wants_websocket;
  if (more) down_->resumeBody();
}

void Exchange::onAnswer(http::ResponseHead& head) {
  progress();
  answered_ = true;
  if (head.framing == http::Framing::kTunnel) return openTunnel(head);
  account_.status = head.status;
  down_->sendResponse(head, {});
  const bool body =
      head.framing != http::Framing::kNone && (head.framing != http::Framing::kLength || head.content_length > 0);
  if (body) pauseWhereFull();
}

// Reads nothing from the service that the client cannot take.
void Exchange::pauseWhereFull() {
  if (!live() || !forwarding_->connected()) return;
  if (down_->writable()) return forwarding_->limitAnswer(down_->appetite());
  forwarding_->pauseAnswer();
  arm(patience());  // a client that reads nothing gets less time than an idle stream
}

void Exchange::onAnswerBody(std::string_view data) {
  progress();
  account_.bytes_out += static_cast<int64_t>(data.size());
  down_->sendBody(data);
  pauseWhereFull();
}

void Exchange::onAnswerEnd(const http::HeaderMap& trailers) {
  if (call_.tunnel()) return endTunnelHalf(false);
  http::ServerStream* down = down_;
  finish(Cause::kComplete);
  down->sendEnd(trailers);
}

void Exchange::onServiceWritable() {
  progress();
  if (live() && (!call_.request.wants_websocket || call_.tunnel())) down_->resumeBody();
}

void Exchange::end(const Ended& ended) {
  if (!live()) return;
  if (!ended.detail.empty()) account_.detail = ended.detail;
  account_.told_id = ended.id;
  if (!answered_) return reply(ended.cause, ended.public_reason, ended.status);
  release();
  cut(ended.cause, ended.public_reason, ended.status);
}

void Exchange::reply(Cause cause, std::string_view detail, int status) {
  release();
  account_.cause = cause;
  account_.status = status != 0 ? status : info(cause).status;
  if (detail.empty()) detail = info(cause).detail;
  if (account_.detail.empty()) account_.detail = detail;
  const LocalReply reply{cause, account_.status, detail, account_.toldId(call_), call_.retry_after};
  http::ServerStream* down = down_;
  Session* session = call_.session;
  const bool grpc = call_.grpc() != nullptr;
  if (grpc) {
    account_.grpc_status = sendGrpcStatus(*down, reply);
    account_.status = 200;
  } else {
    account_.bytes_out = static_cast<int64_t>(sendProblem(*down, reply));
  }
  finish(cause);
  down->sendEnd({});
  if (!grpc) session->replied();
}

void Exchange::cut(Cause cause, std::string_view detail, int status) {
  account_.cause = cause;
  http::ServerStream* down = down_;
  if (call_.grpc() == nullptr) {
    finish(cause);
    return down->reset();
  }
  const LocalReply reply{cause, status != 0 ? status : info(cause).status, detail, account_.toldId(call_)};
  account_.grpc_status = std::to_string(grpcCode(cause, reply.status));
  std::string message;
  http::HeaderMap trailers;
  addGrpcStatus(reply, account_.grpc_status, message, trailers);
  down->discardBody();
  finish(cause);
  down->sendEnd(trailers);
}

void Exchange::fail(Cause cause, std::string_view detail) {
  if (!live()) return;
  account_.detail = detail;
  if (!answered_) return reply(cause);
  release();
  cut(cause, "", 0);
}

void Exchange::release() {
  if (forwarding_) forwarding_->release();
}

void Exchange::finish(Cause result) {
  if (!live()) return;
  phase_ = Phase::kOver;
  timer_.cancel();
  account_.close(call_, worker_, decision(), result, forwarding_ ? &forwarding_->response() : nullptr);
}

}  // namespace yett::proxy
