#include "proxy/pipeline.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/clock.h"
#include "http/head.h"
#include "net/connection.h"
#include "net/transport.h"
#include "policy/check_request.h"
#include "proxy/session.h"
#include "proxy/tokens.h"
#include "proxy/websocket.h"
#include "proxy/worker.h"
#include "request/forwarded.h"
#include "request/grpc.h"
#include "request/headers.h"
#include "request/question.h"

namespace yett::proxy {
namespace {

const std::array<std::string, 1> kClientCert = {"x-forwarded-client-cert"};

// By its certificate: a token can be copied.
bool isTrustedForwarder(const Call& call) {
  const auto& trusted = call.listener->config.trusted_forwarders;
  const auto& principal = *call.session->connection().principal();
  return !principal.anonymous() && std::find(trusted.begin(), trusted.end(), principal.id) != trusted.end();
}

void normalize(Call& call, const authz::Authorizer& authorizer) {
  const bool forwarder = isTrustedForwarder(call);
  // What a forwarder says is read however much of it the service gets.
  request::dropUntrusted(call.request, {forwarder, call.listener->config.keep_headers}, authorizer.ownedHeaders());
  if (call.listener->providers) request::dropNamed(call.request.headers, call.listener->providers->ownedHeaders());
  const auto& trusted = call.listener->config.trusted_forwarders;
  call.forwarder = forwarder;
  call.may_forward = !trusted.empty() && !call.session->connection().principal()->anonymous();
  if (!call.may_forward) return;
  if (!forwarder) {
    call.forwarded.client_ip = call.session->peerText();
    return;
  }
  call.forwarded = request::readForwarded(call.request.headers, trusted);
  if (!call.listener->config.append_client_cert) request::dropNamed(call.request.headers, kClientCert);
}

void match(Call& call, const authz::Authorizer& authorizer) {
  const auto& routes = *call.listener->routes;
  RouteTable::Owned owned{authorizer.ownedHeaders(), {}};
  if (call.listener->providers) owned.by_tokens = call.listener->providers->ownedHeaders();
  call.route = routes.match(call.request, owned);
  call.body_route = routes.bodyRoute(call.request, call.route, owned);
  routes.tokensFor(call.request, call.route, owned, call.asked_tokens);
  if (call.route != nullptr) call.request.with_parameters = call.route->forward_parameters;
}

policy::CheckRequest question(Call& call, int64_t now_micros, bool early = false) {
  const net::Connection& connection = call.session->connection();
  const net::TlsInfo tls = connection.transport().info();
  request::Arrival arrival;
  arrival.listener = call.listener->config.name;
  arrival.scheme = call.session->tls() ? "https" : "http";
  arrival.principal = call.principal.get();
  arrival.setSource(connection.peer());
  arrival.setDestination(connection.local());
  arrival.tls_version = tls.version;
  arrival.tls_cipher = tls.cipher;
  arrival.tls_sni = tls.sni;
  const policy::Body* body = nullptr;
  if (call.route != nullptr && call.body_route->buffer_body > 0) {
    call.seen_body = {.complete = !early,
                      .bytes = call.body,
                      .exact_names = call.body_route->exact_names,
                      .json_types = call.body_route->json_types,
                      .awaited = early};
    body = &call.seen_body;
  }
  policy::CheckRequest out = request::question(call.request, arrival, call.headers, now_micros / 1'000'000, body);
  out.tokens = call.tokens;
  if (call.may_forward) out.forwarded = &call.forwarded;
  return out;
}

// A newer policy or provider may own other headers than those in force when the head came: neither the service nor
// policy sees what the caller wrote there.
void dropOwned(Call& call, const Worker& worker) {
  const auto drop = [&](std::span<const std::string> owned) {
    if (owned.empty()) return;
    request::dropNamed(call.request.headers, owned);
    std::erase_if(call.headers, [&](const policy::Header& header) { return request::isNamed(header.name, owned); });
  };
  drop(worker.authorizer.ownedHeaders());
  if (worker.providers() != nullptr) drop(worker.providers()->ownedHeaders());
}

// Why the caller's certificate or token is no longer valid, whatever policy says; kNone if they are.
Cause outdated(const Call& call, const Worker& worker, int64_t now_seconds) {
  if (now_seconds >= call.tokens_until) return Cause::kTokenExpired;
  if (!stillVerified(call, worker.providers().get())) return Cause::kTokenRevoked;
  if (call.session->connection().principal()->anonymous()) return Cause::kNone;
  const int64_t until = call.session->trustedUntil(now_seconds);
  if (until == 0) return Cause::kCertificateUntrusted;
  // As in OpenSSL, the certificate is expired at the second of notAfter.
  return now_seconds >= until ? Cause::kCertificateExpired : Cause::kNone;
}

bool isOfToken(Cause cause) {
  return cause == Cause::kTokenExpired || cause == Cause::kTokenRevoked;
}

void noteEpoch(Call& call, const Worker& worker) {
  call.policy_epoch = worker.epoch().policy;
  call.other_epoch = worker.epoch().other;
}

std::optional<authz::Answer> ask(Call& call, Worker& worker, bool early) {
  request::visibleHeaders(call.request.headers, call.headers);
  if (call.opensWebSocket()) call.headers.push_back({"upgrade", "websocket"});  // as the service will see it
  // Uses the current time after a wait: a body may take hours to arrive, and the certificate may expire meanwhile.
  const int64_t now = call.waited ? base::wallMicros() : call.began_wall;
  call.decided_nanos = call.waited ? base::steadyNanos() : call.began_nanos;
  noteEpoch(call, worker);
  const policy::CheckRequest check = question(call, now, early);
  authz::Authorizer& authorizer = worker.authorizer;
  const Cause outdated_by = outdated(call, worker, check.time_seconds);
  const bool by_token = isOfToken(outdated_by) || call.token_refusal != Cause::kNone;
  if (isOfToken(outdated_by)) call.token_refusal = outdated_by;
  if (outdated_by != Cause::kNone && !isOfToken(outdated_by))
    call.session->drain();  // so that the caller can reconnect with a newer certificate
  worker.loop.doing("a decision");
  const std::string_view refuse = call.token_refusal != Cause::kNone && !call.token_why.empty()
                                      ? std::string_view(call.token_why)
                                      : text(outdated_by);
  const authz::Authorizer::Question asked{check, call.routeName(), call.session->peerText(),
                                          now,   refuse,           by_token ? "authentication" : "identity"};
  std::optional<authz::Answer> answer;
  if (early) answer = authorizer.checkEarly(asked, call.decided);
  else answer = authorizer.check(asked, call.decided);
  worker.loop.doing("events");
  if (answer && authorizer.hasShadow() && refuse.empty())
    call.shadow.ask(check, call.principal, authorizer.shadowOwnedHeaders(), call.decided.allow);
  return answer;
}

// What a request took of each limit, to give it back if another one is used up.
struct Taken {
  std::vector<std::pair<RateLimit*, std::string_view>> tokens;
  std::string source;  // some keys are views of it
};

bool takeAll(Call& call, const RateLimits& limits, Taken& taken) {
  for (const auto& limit : limits) {
    using By = RateLimitConfig::By;
    const std::string_view key = limit->config().by == By::kPrincipal ? std::string_view(call.principal->id)
                                 : limit->config().by == By::kSource ? sourceKey(call.session->peerText(), taken.source)
                                                                     : std::string_view();
    const int64_t wait = limit->take(key, base::steadyNanos());
    if (wait > 0) {
      constexpr int64_t kSecond = 1'000'000'000;
      call.retry_after = (wait + kSecond - 1) / kSecond;
      return false;
    }
    taken.tokens.emplace_back(limit.get(), key);
  }
  return true;
}

// Of requests that policy allows and that could be forwarded: those that are refused cost the service nothing.
std::optional<Stop> limited(Call& call) {
  const RateLimits& all = call.listener->rate_limits;
  const RateLimits& of_route = call.route->rate_limits;
  if (all.empty() && of_route.empty()) return std::nullopt;
  thread_local Taken taken;  // keeps its memory
  taken.tokens.clear();
  if (takeAll(call, of_route, taken) && takeAll(call, all, taken)) return std::nullopt;
  for (const auto& [limit, key] : taken.tokens) limit->giveBack(key);
  return Stop{Cause::kRateLimited};
}

// Why an allowed request cannot be forwarded, if so. Changes the call to what will be forwarded.
std::optional<Stop> unfit(Call& call) {
  auto& request = call.request;
  if (call.forwarder && !call.forwarded.via_error.empty())
    return Stop{Cause::kBadForwardedCert, 0, call.forwarded.via_error};
  if (call.route == nullptr) return Stop{Cause::kNoRoute};
  if (request.target.encoded_slash && !call.route->allow_encoded_slashes) return Stop{Cause::kEncodedSlash};
  if (request.wants_websocket && !call.opensWebSocket()) {
    // Over HTTP/1.1 an Upgrade may be ignored (RFC 9110 7.8); a CONNECT may not.
    if (request.version == http::Version::kHttp2) return Stop{Cause::kNoUpgrade};
    request.wants_websocket = false;
  }
  if (request.wants_websocket) {
    if (const auto error = checkWebSocket(request)) return Stop{Cause::kBadHandshake, error.status, error.why};
    // Each side gets a separate key, so that each proves to Yett that it speaks WebSocket.
    request::dropNamed(request.headers, std::array<std::string, 1>{"sec-websocket-key"});
    call.kind = WebSocketCall{};
  }
  GrpcCall* grpc = call.grpc();
  std::string_view timeout;
  if (grpc != nullptr && request.headers.find("grpc-timeout", timeout) != 0) {
    const auto limit = request::parseGrpcTimeout(timeout);
    if (!limit) return Stop{Cause::kBadGrpcTimeout};
    grpc->deadline_nanos = call.began_nanos + std::max<int64_t>(*limit, 1);
  }
  return limited(call);
}

Stop stopFor(authz::Refusal& refusal) {
  return {refusal.recorded ? Cause::kDenied : Cause::kAuditUnavailable, refusal.status, refusal.public_reason,
          std::move(refusal.decision)};
}

// The next step after an answer: an allowed request must also be forwardable.
Next fit(Call& call, authz::Answer answer) {
  if (auto* refusal = std::get_if<authz::Refusal>(&answer)) {
    Stop stop = stopFor(*refusal);
    if (call.token_refusal == Cause::kNone || stop.cause != Cause::kDenied) return stop;
    stop.cause = call.token_refusal;
    stop.status = 0;
    stop.detail = call.token_refusal == Cause::kTokenInvalid ? call.token_why : "";
    return stop;
  }
  auto* pending = std::get_if<authz::Pending>(&answer);
  if (auto stop = unfit(call)) {
    stop->decision =
        pending != nullptr ? std::move(*pending).giveUp() : std::get<authz::Permit>(std::move(answer)).giveUp();
    return std::move(*stop);
  }
  if (pending != nullptr) return std::move(*pending);
  return std::get<authz::Permit>(std::move(answer));
}

}  // namespace

void Pipeline::authenticate(Call& call) {
  call.principal = call.session->connection().principal();
}

void Pipeline::classify(Call& call) {
  if (request::isGrpc(call.request)) call.kind = GrpcCall{};
}

Next Pipeline::onHead(Call& call, Worker& worker) {
  authenticate(call);
  classify(call);
  match(call, worker.authorizer);
  checkTokens(call, worker.tokens, call.began_wall / 1'000'000);  // first: the header of a token may be one of those
  normalize(call, worker.authorizer);                             // that only policy may set
  if (call.awaitsBody() && call.token_refusal == Cause::kNone) {
    auto early = ask(call, worker, true);
    if (!early) return AwaitBody{};
    return fit(call, *std::move(early));
  }
  return fit(call, *ask(call, worker, false));
}

Next Pipeline::onBody(Call& call, Worker& worker) {
  dropOwned(call, worker);
  return fit(call, *ask(call, worker, false));
}

Next Pipeline::onRecord(Call& call, Worker& worker, authz::Pending pending) {
  authz::Answer answer = worker.authorizer.settle(std::move(pending));
  if (auto* refusal = std::get_if<authz::Refusal>(&answer)) return stopFor(*refusal);
  auto& permit = std::get<authz::Permit>(answer);
  if (auto ended = stillAllowed(call, worker))
    return Stop{ended->cause, ended->status, std::move(ended->public_reason), std::move(permit).giveUp(), ended->id};
  return std::move(permit);
}

std::optional<Ended> Pipeline::stillAllowed(Call& call, Worker& worker) {
  constexpr int64_t kLongWait = 1'000'000'000;  // nanoseconds; after a shorter wait the decision still holds
  const bool same_policy = call.policy_epoch == worker.epoch().policy;
  const bool same = same_policy && call.other_epoch == worker.epoch().other;
  if (same && base::steadyNanos() - call.decided_nanos < kLongWait) return std::nullopt;
  return recheck(call, worker, same_policy ? Cause::kAllowedNoMore : Cause::kNewerPolicy);
}

std::optional<Ended> Pipeline::recheck(Call& call, Worker& worker, Cause cause) {
  // Asks about the request as policy saw it, without headers that only the newer policy may set.
  dropOwned(call, worker);
  const int64_t now = base::wallMicros();
  call.decided_nanos = base::steadyNanos();
  noteEpoch(call, worker);
  const policy::CheckRequest check = question(call, now);
  const Cause outdated_by = outdated(call, worker, check.time_seconds);
  auto refusal = worker.authorizer.recheck({check, call.routeName(), call.session->peerText(), now, text(outdated_by),
                                            isOfToken(outdated_by) ? "authentication" : "identity"},
                                           text(cause));
  if (!refusal) return std::nullopt;
  if (outdated_by != Cause::kNone) cause = outdated_by;
  const int status = outdated_by != Cause::kNone ? info(cause).status : refusal->status;
  return Ended{cause, status, std::move(refusal->public_reason),
               cause == Cause::kNewerPolicy  ? "the policy changed"
               : cause == Cause::kOutOfHours ? "the policy allows it at other hours"
                                             : "",
               refusal->id};
}

void Pipeline::annotate(Call& call, const authz::Permit& permit, Annotations& out) {
  Session& session = *call.session;
  out.make(call.request, permit,
           {*call.principal, session.forwardedCertificate(), session.peerText(), session.tls(), call.token_headers});
}

}  // namespace yett::proxy
