// The answers that Yett gives by itself, and the end of every exchange: outcome, metrics, access log.
#include "base/clock.h"
#include "base/json.h"
#include "proxy/exchange.h"
#include "proxy/grpc.h"
#include "proxy/session.h"

namespace yett::proxy {

std::string_view protocolName(http::Version version) {
  switch (version) {
    case http::Version::kHttp10: return "HTTP/1.0";
    case http::Version::kHttp11: return "HTTP/1.1";
    case http::Version::kHttp2: return "HTTP/2";
  }
  return "";
}

void Exchange::reply(int status, std::string_view cause, std::string_view public_detail) {
  releaseUpstream();
  cause_ = cause;
  if (detail_.empty()) detail_ = public_detail;
  status_ = status;
  if (grpc_) return replyGrpc(status, public_detail.empty() ? cause : public_detail);
  const bool decided = toldId()[0] != '\0';
  std::string body;
  json::ObjectWriter document(body);
  document.field("type", "about:blank").field("title", http::reasonPhrase(status)).field("status", status);
  if (!public_detail.empty()) document.field("detail", public_detail);
  if (decided) document.field("decision_id", base::view(toldId()));
  document.end();
  body += '\n';
  response_.clear();
  response_.status = status;
  response_.framing = http::Framing::kLength;
  response_.content_length = body.size();
  http::HeaderMap fields;
  fields.add("content-type", "application/problem+json");
  fields.add("cache-control", "no-store");
  if (decided) fields.add("x-yett-decision-id", base::view(toldId()));
  if (status == 401) fields.add("www-authenticate", "Bearer");  // RFC 9110 15.5.2 wants a challenge
  if (status == 503) fields.add("retry-after", "1");
  if (status == 426) fields.add("sec-websocket-version", "13");  // RFC 6455 4.4
  http::ServerStream* down = down_;
  Session* session = session_;
  bytes_out_ = static_cast<int64_t>(body.size());
  down->discardBody();
  down->sendResponse(response_, fields);
  down->sendBody(body);
  finish(cause);
  down->sendEnd({});
  session->replied();
}

// A trailers-only response: what gRPC clients understand.
void Exchange::replyGrpc(int status, std::string_view message) {
  const int code = cause_ == kDeadline ? kGrpcDeadlineExceeded : grpcStatus(status);
  grpc_status_ = std::to_string(code);
  const std::string text = grpcMessage(message);
  response_.clear();
  status_ = response_.status = 200;
  http::HeaderMap fields;
  fields.add("content-type", "application/grpc");
  fields.add("grpc-status", grpc_status_);
  fields.add("grpc-message", text);
  if (toldId()[0] != '\0') fields.add("x-yett-decision-id", base::view(toldId()));
  http::ServerStream* down = down_;
  down->discardBody();
  down->sendResponse(response_, fields);
  finish(cause_);
  down->sendEnd({});
}

void Exchange::cut(int status, std::string_view why) {
  http::ServerStream* down = down_;
  if (!grpc_) {
    finish(cause_);
    return down->reset();
  }
  grpc_status_ = std::to_string(cause_ == kDeadline ? kGrpcDeadlineExceeded : grpcStatus(status));
  const std::string text = grpcMessage(why.empty() ? std::string_view(cause_) : why);
  http::HeaderMap trailers;
  trailers.add("grpc-status", grpc_status_);
  trailers.add("grpc-message", text);
  if (toldId()[0] != '\0') trailers.add("x-yett-decision-id", base::view(toldId()));
  down->discardBody();
  finish(cause_);
  down->sendEnd(trailers);
}

// What the upstream said of the call: in its trailers, or in its head where that is all there is.
void Exchange::logStatus() {
  std::string_view said;
  if (grpc_ && grpc_status_.empty() &&
      (response_.trailers.find("grpc-status", said) == 1 || response_.headers.find("grpc-status", said) == 1))
    grpc_status_ = said;
}

void Exchange::fail(int status, std::string_view cause, std::string_view detail) {
  if (finished_) return;
  detail_ = detail;
  if (!response_begun_) return reply(status, cause, "");
  releaseUpstream();
  cause_ = cause;
  cut(status, "");
}

void Exchange::finish(std::string_view result) {
  if (finished_) return;
  finished_ = true;
  timer_.cancel();
  logStatus();
  const int64_t micros = (base::steadyNanos() - began_nanos_) / 1000;
  if (shadow_.asked) {
    shadow_.result = result;
    shadow_.micros = micros;
  } else {
    decision_.end({status_, upstream_name_, bytes_in_, bytes_out_, micros, result});
  }
  worker_.request_duration.observeMicros(micros);
  worker_.countRequest(listener_->config.name, route_ != nullptr ? std::string_view(route_->name) : "", status_);
  if (worker_.access_log != nullptr) logAccess(result, micros);
}

void Exchange::beat(int64_t now_nanos, base::Millis interval) {
  if (underWay() && now_nanos - began_nanos_ >= interval.count() * 1'000'000)
    decision_.beat({base::wallMicros(), bytes_in_, bytes_out_});
}

// The answer is out: what the policy in the shadow says can keep nobody waiting but the record.
void Exchange::endWithShadow() {
  const std::string said = worker_.authorizer.askShadow(shadow_.check, shadow_.allowed);
  decision_.end({status_, upstream_name_, bytes_in_, bytes_out_, shadow_.micros,
                 shadow_.result.empty() ? std::string_view("aborted") : std::string_view(shadow_.result), said});
  shadow_ = {};
}

void Exchange::logAccess(std::string_view result, int64_t duration_micros) {
  thread_local std::string line;
  line.clear();
  json::ObjectWriter out(line);
  out.field("time", base::formatTime(began_wall_));
  if (id_[0] != '\0') out.field("decision_id", base::view(id_));
  out.field("listener", listener_->config.name);
  if (route_ != nullptr) out.field("route", route_->name);
  const auto& principal = session_->connection().principal();
  out.field("principal", principal ? std::string_view(principal->id) : "");
  out.field("source", session_->peerText());
  out.field("method", request_.method).field("host", request_.host).field("path", request_.target.path);
  out.field("protocol", protocolName(request_.version));
  out.field("status", status_);
  if (!grpc_status_.empty()) out.field("grpc_status", grpc_status_);
  if (!effect_.empty()) out.field("effect", effect_).field("policy", policy_).field("rule", rule_);
  if (!cause_.empty()) out.field("cause", cause_);
  if (!detail_.empty()) out.field("detail", detail_);
  if (!upstream_name_.empty()) out.field("upstream", upstream_name_);
  out.field("result", result)
      .field("bytes_in", bytes_in_)
      .field("bytes_out", bytes_out_)
      .field("duration_us", duration_micros);
  out.end();
  line += '\n';
  worker_.access_log->write(line);
}

}  // namespace yett::proxy
