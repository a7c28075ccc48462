// The answers that Yett gives by itself, and the end of every exchange: outcome, metrics, access log.
#include "base/clock.h"
#include "base/json.h"
#include "proxy/exchange.h"
#include "proxy/session.h"

namespace yett::proxy {

void Exchange::reply(int status, std::string_view cause, std::string_view public_detail) {
  releaseUpstream();
  cause_ = cause;
  if (detail_.empty()) detail_ = public_detail;
  status_ = status;
  const bool decided = id_[0] != '\0';
  std::string body;
  json::ObjectWriter document(body);
  document.field("type", "about:blank").field("title", http::reasonPhrase(status)).field("status", status);
  if (!public_detail.empty()) document.field("detail", public_detail);
  if (decided) document.field("decision_id", base::view(id_));
  document.end();
  body += '\n';
  response_.clear();
  response_.status = status;
  response_.framing = http::Framing::kLength;
  response_.content_length = body.size();
  http::HeaderMap fields;
  fields.add("content-type", "application/problem+json");
  fields.add("cache-control", "no-store");
  if (decided) fields.add("x-yett-decision-id", base::view(id_));
  if (status == 401) fields.add("www-authenticate", "Bearer");  // RFC 9110 15.5.2 wants a challenge
  if (status == 503) fields.add("retry-after", "1");
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

void Exchange::fail(int status, std::string_view cause, std::string_view detail) {
  if (finished_) return;
  detail_ = detail;
  if (!response_begun_) return reply(status, cause, "");
  releaseUpstream();
  cause_ = cause;
  http::ServerStream* down = down_;
  finish(cause);
  down->reset();
}

void Exchange::finish(std::string_view result) {
  if (finished_) return;
  finished_ = true;
  timer_.cancel();
  const int64_t micros = (base::steadyNanos() - began_nanos_) / 1000;
  decision_.end({status_, upstream_name_, bytes_in_, bytes_out_, micros, result});
  worker_.request_duration.observeMicros(micros);
  worker_.countRequest(listener_->config.name, route_ != nullptr ? std::string_view(route_->name) : "", status_);
  if (worker_.access_log != nullptr) logAccess(result, micros);
}

void Exchange::logAccess(std::string_view result, int64_t duration_micros) {
  std::string line;
  line.reserve(512);
  json::ObjectWriter out(line);
  out.field("time", base::formatTime(began_wall_));
  if (id_[0] != '\0') out.field("decision_id", base::view(id_));
  out.field("listener", listener_->config.name);
  if (route_ != nullptr) out.field("route", route_->name);
  const auto& principal = session_->connection().principal();
  out.field("principal", principal ? std::string_view(principal->id) : "");
  out.field("source", target::IpAddress::fromSocket(session_->connection().peer()).text());
  out.field("method", request_.method).field("host", request_.host).field("path", request_.target.path);
  out.field("status", status_);
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
