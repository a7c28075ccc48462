#include "proxy/pipeline.h"

#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/text.h"
#include "net/connection.h"
#include "proxy/exchange.h"
#include "proxy/grpc.h"
#include "proxy/headers.h"
#include "proxy/session.h"
#include "proxy/websocket.h"

namespace yett::proxy {
namespace {

uint16_t portOf(const sockaddr* address) {
  if (address->sa_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(address)->sin_port);
  if (address->sa_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(address)->sin6_port);
  return 0;
}

bool isTrustedForwarder(const ListenerState& listener, const identity::Principal& principal) {
  const auto& trusted = listener.config.trusted_forwarders;
  return !principal.anonymous() && std::find(trusted.begin(), trusted.end(), principal.id) != trusted.end();
}

}  // namespace

void Pipeline::run(Exchange& exchange) {
  normalize(exchange);  // policy must see what the service will, and nothing else
  match(exchange);      // the record names the route; no route is answered only after policy allowed
  // Where the route lets policy see the body: nobody waits for one that can change nothing; else this runs again when
  // it is here.
  std::optional<authz::Answer> early;
  if (exchange.awaitsBody()) {
    early = authorize(exchange, true);
    if (!early) return exchange.waitForBody();
  }
  authz::Answer answer =
      early ? *std::move(early) : *authorize(exchange, false);  // one question, one record, one answer
  if (const auto* refusal = std::get_if<authz::Refusal>(&answer)) {
    return exchange.reply(refusal->status, refusal->status == 503 ? "audit unavailable" : "denied",
                          refusal->public_reason);
  }
  if (exchange.route_ == nullptr) return exchange.reply(404, "no route", "");
  if (exchange.refuseUnfit()) return;
  annotate(exchange);  // only now, so that nothing a client sent can stand beside it
  if (const auto* pending = std::get_if<authz::Pending>(&answer)) return exchange.awaitRecord(*pending);
  forward(exchange, std::get<authz::Permit>(std::move(answer)));
}

void Pipeline::resume(Exchange& exchange, const authz::Pending& pending) {
  authz::Answer answer = exchange.worker_.authorizer.settle(pending);
  if (const auto* refusal = std::get_if<authz::Refusal>(&answer))
    return exchange.reply(refusal->status, "audit unavailable", refusal->public_reason);
  if (!stillAllowed(exchange)) return;
  forward(exchange, std::get<authz::Permit>(std::move(answer)));
}

void Pipeline::normalize(Exchange& e) {
  const bool trusted = isTrustedForwarder(*e.listener_, *e.session_->connection().principal());
  dropUntrusted(e.request_, {trusted, e.listener_->config.keep_headers}, e.worker_.authorizer.ownedHeaders());
}

void Pipeline::match(Exchange& e) {
  e.route_ = e.listener_->routes->match(e.request_);
  e.body_route_ = e.listener_->routes->bodyRoute(e.request_, e.route_);
  if (e.route_ != nullptr) e.request_.with_parameters = e.route_->forward_parameters;
}

// Policy allowed it, but it cannot be forwarded as it is.
bool Exchange::refuseUnfit() {
  const auto refuse = [this](int status, std::string_view cause, std::string_view detail) {
    reply(status, cause, detail);
    return true;
  };
  if (request_.target.encoded_slash && !route_->allow_encoded_slashes)
    return refuse(400, "encoded slash", "the path has an encoded slash or backslash");
  if (request_.wants_websocket && !opensWebSocket()) {
    // Over HTTP/1.1 an Upgrade may be ignored (RFC 9110 7.8); a CONNECT may not.
    if (request_.version == http::Version::kHttp2)
      return refuse(501, "no upgrade", "the route lets no caller open a WebSocket");
    request_.wants_websocket = false;
  }
  if (request_.wants_websocket) {
    if (const auto error = checkWebSocket(request_)) return refuse(error.status, "bad handshake", error.why);
    // Each side has a key of its own, so that each proves to Yett that it speaks WebSocket.
    dropNamed(request_.headers, std::array<std::string, 1>{"sec-websocket-key"});
  }
  std::string_view timeout;
  if (!grpc_ || request_.headers.find("grpc-timeout", timeout) == 0) return false;
  const auto limit = parseGrpcTimeout(timeout);
  if (!limit) return refuse(400, "bad grpc-timeout", "a grpc-timeout that is no timeout");
  deadline_nanos_ = began_nanos_ + std::max<int64_t>(*limit, 1);
  return false;
}

policy::CheckRequest Pipeline::question(Exchange& e, int64_t now_micros, bool early) {
  const http::RequestHead& head = e.request_;
  const net::Connection& connection = e.session_->connection();
  const net::TlsInfo tls = connection.transport().info();
  policy::CheckRequest check;
  check.listener = e.listener_->config.name;
  check.method = head.method;
  check.scheme = e.session_->tls() ? "https" : "http";
  check.host = head.host;
  check.path = head.target.path;
  check.raw_path = head.raw_target;
  check.protocol = protocolName(head.version);
  check.query = head.target.query;
  check.headers = e.headers_;
  check.principal = e.session_->connection().principal().get();
  check.source = target::IpAddress::fromSocket(connection.peer());
  check.source_port = portOf(connection.peer());
  check.destination = target::IpAddress::fromSocket(connection.local());
  check.destination_port = portOf(connection.local());
  check.tls_version = tls.version;
  check.tls_cipher = tls.cipher;
  check.tls_sni = tls.sni;
  check.time_seconds = now_micros / 1'000'000;
  if (e.route_ != nullptr && e.body_route_->buffer_body > 0) {
    e.seen_body_ = {!early, e.body_, e.body_route_->exact_names, e.body_route_->json_types, early};
    check.body = &e.seen_body_;
  }
  return check;
}

// Why the caller's certificate no longer counts, whatever policy says; "" where it does.
std::string_view Pipeline::outdated(Exchange& e, const policy::CheckRequest& check) {
  if (check.principal->anonymous()) return "";
  const int64_t until = e.session_->trustedUntil(check.time_seconds);
  if (until == 0) return "the caller's certificate is trusted no more";
  // As OpenSSL counts: the second that notAfter names is no longer a part.
  return check.time_seconds >= until ? "the caller's certificate has expired" : "";
}

// Pins what the question refers to and the exchange does not own.
void Pipeline::askLater(Exchange& e, const policy::CheckRequest& check, bool allowed) {
  auto& shadow = e.shadow_;
  shadow.asked = true;
  shadow.allowed = allowed;
  shadow.check = check;
  shadow.principal = e.session_->connection().principal();
  shadow.check.principal = shadow.principal.get();
  // As that policy would see them, were it in force. A copy: a recheck changes the exchange's own.
  const auto& owned = e.worker_.authorizer.shadowOwnedHeaders();
  for (const auto& header : check.headers) {
    if (!isNamed(header.name, owned)) shadow.headers.push_back(header);
  }
  shadow.check.headers = shadow.headers;
  shadow.sni = check.tls_sni;
  shadow.check.tls_sni = shadow.sni;
  if (check.body == nullptr) return;
  shadow.body = check.body->bytes;
  shadow.seen_body = *check.body;
  shadow.seen_body.bytes = shadow.body;
  shadow.check.body = &shadow.seen_body;
}

std::optional<authz::Answer> Pipeline::authorize(Exchange& e, bool early) {
  e.headers_.clear();
  for (const auto& field : e.request_.headers.fields()) {
    if (!field.dropped) e.headers_.push_back({field.name, field.value});
  }
  if (e.opensWebSocket()) e.headers_.push_back({"upgrade", "websocket"});  // as the service will see it
  // As of now: a body may have taken hours to come, and time, certificate and bundles have gone on meanwhile.
  const int64_t now = e.waited_ ? base::wallMicros() : e.began_wall_;
  e.decided_nanos_ = e.waited_ ? base::steadyNanos() : e.began_nanos_;
  const policy::CheckRequest check = question(e, now, early);
  authz::Authorizer& authorizer = e.worker_.authorizer;
  const std::string_view refuse = outdated(e, check);
  if (!refuse.empty()) e.session_->drain();  // the next handshake shows whether there is a newer certificate
  const std::string_view route = e.route_ != nullptr ? std::string_view(e.route_->name) : "";
  e.worker_.loop.doing("a decision");
  const authz::Authorizer::Question asked{check, route, e.session_->peerText(), now, refuse};
  std::optional<authz::Answer> answer;
  if (early) answer = authorizer.checkEarly(asked, e.id_, e.decision_);
  else answer = authorizer.check(asked, e.id_, e.decision_);
  e.worker_.loop.doing("events");
  if (!answer) return answer;
  const policy::Decision& decision = authorizer.last();
  e.effect_ = decision.allow ? "allow" : "deny";
  e.policy_ = decision.policy;
  e.rule_ = decision.rule;
  if (authorizer.hasShadow() && refuse.empty()) askLater(e, check, decision.allow);
  return answer;
}

bool Pipeline::stillAllowed(Exchange& e) {
  constexpr int64_t kLongWait = 1'000'000'000;  // nanoseconds in which nothing that a decision rests on changes unseen
  if (base::steadyNanos() - e.decided_nanos_ < kLongWait) return true;
  recheck(e, "allowed no more after a wait");
  return !e.finished_;
}

void Pipeline::recheck(Exchange& e, std::string_view cause) {
  // What is asked about is the request as policy saw it, without what only the newer policy may say.
  const auto& owned = e.worker_.authorizer.ownedHeaders();
  std::erase_if(e.headers_, [&](const policy::Header& header) { return isNamed(header.name, owned); });
  const int64_t now = base::wallMicros();
  e.decided_nanos_ = base::steadyNanos();
  const policy::CheckRequest check = question(e, now);
  const std::string_view route = e.route_ != nullptr ? std::string_view(e.route_->name) : "";
  const std::string_view refuse = outdated(e, check);
  const auto refusal = e.worker_.authorizer.recheck({check, route, e.session_->peerText(), now, refuse}, cause);
  if (refusal) e.endByPolicy(*refusal, refuse.empty() ? cause : refuse);
}

// What the allow asks for. Copied: the policy may change while the request waits for a connection.
void Pipeline::oblige(Exchange& e, const policy::Obligations& obligations) {
  e.obliged_ = obligations.set_headers;
  e.removed_ = obligations.remove_headers;
  dropNamed(e.request_.headers, e.removed_);
  for (const auto& [name, value] : e.obliged_) e.added_.add(name, value);
}

void Pipeline::annotate(Exchange& e) {
  if (const auto* obligations = e.worker_.authorizer.last().obligations) oblige(e, *obligations);
  const auto& principal = *e.session_->connection().principal();
  const http::HeaderMap& sent = e.request_.headers;
  std::string_view before;
  e.added_.add("x-yett-decision-id", base::view(e.id_));
  if (!principal.anonymous()) {
    e.added_.add("x-yett-principal", principal.id);
    if (sent.find("x-forwarded-client-cert", before) > 0) e.forwarded_cert_.append(before).append(",");
    e.forwarded_cert_ += e.session_->forwardedCertificate();
    e.added_.add("x-forwarded-client-cert", e.forwarded_cert_);
  }
  if (!e.session_->peerText().empty()) {
    if (sent.find("x-forwarded-for", before) > 0) e.forwarded_for_.append(before).append(", ");
    e.forwarded_for_ += e.session_->peerText();
    e.added_.add("x-forwarded-for", e.forwarded_for_);
  }
  if (sent.find("x-forwarded-proto", before) == 0)
    e.added_.add("x-forwarded-proto", e.session_->tls() ? "https" : "http");
  if (sent.find("x-request-id", before) == 0) e.added_.add("x-request-id", base::view(e.id_));
  if (sent.find("traceparent", before) == 0) {
    // The decision's id without its dashes is the trace; its second half the span.
    e.trace_parent_ = "00-";
    for (const char c : e.id_) {
      if (c != '-') e.trace_parent_ += c;
    }
    e.trace_parent_ += '-';
    e.trace_parent_.append(e.trace_parent_, 19, 16).append("-00");
    e.added_.add("traceparent", e.trace_parent_);
  }
  // What was appended to replaces what came.
  for (auto& field : e.request_.headers.fields()) {
    if (field.name == "x-forwarded-client-cert" || field.name == "x-forwarded-for") field.dropped = true;
  }
}

void forward(Exchange& exchange, authz::Permit&& permit) {
  [[maybe_unused]] const authz::Permit used = std::move(permit);
  exchange.acquire(false);
}

}  // namespace yett::proxy
