#include "proxy/forwarding.h"

#include <algorithm>
#include <array>
#include <random>

#include "base/clock.h"
#include "proxy/session.h"
#include "proxy/tokens.h"
#include "proxy/websocket.h"
#include "request/cookies.h"
#include "request/headers.h"
#include "upstream/ring.h"

namespace yett::proxy {

void Forwarding::Kept::clear() {
  response.clear();
  annotations.clear();
  websocket_key.clear();
  own_token.clear();
  attempt.clear();
}

Forwarding::Forwarding(authz::Permit&& permit, Call& call, Worker& worker, Kept& kept, ForwardingEvents& events)
    : permit_(std::move(permit)), call_(call), worker_(worker), kept_(kept), events_(events) {}

Forwarding::~Forwarding() {
  release();
}

void Forwarding::start() {
  acquire(false);
}

void Forwarding::acquire(bool fresh) {
  if (call_.split_cluster == nullptr && !call_.route->clusters.empty()) chooseCluster();
  pool_ = worker_.upstreams.pool(permit_, call_.clusterName());
  if (pool_ == nullptr) return events_.onFailure(Cause::kNoUpstream, "the cluster is gone");
  budget_ = pool_->cluster().budget;
  if (attempt_ == 1 && !repeated_) budget_->request();
  tellAttempt();
  if (!addOwnToken(pool_->cluster().config)) {
    pool_ = nullptr;
    return events_.onFailure(Cause::kNoUpstream, "there is no JWT-SVID for the cluster now");
  }
  events_.onSeeking();
  const bool http2 = call_.request.version == http::Version::kHttp2;
  // A service may close the connection because of a too large head, and with it the in-flight exchanges of others.
  const bool alone = pool_->shares(http2) && http::headListSize(call_.request, kept_.annotations.added()) >
                                                 pool_->cluster().config.max_request_head;
  pool_->acquire(*this, {.fresh = fresh,
                         .http2 = http2,
                         .websocket = call_.request.wants_websocket,
                         .alone = alone,
                         .key = keyOf(pool_->cluster().config.hash),
                         .avoid = avoid_.get()});
}

// Of what is hashed; nothing if the request does not have it.
std::optional<uint64_t> Forwarding::keyOf(const upstream::HashKey& hash) const {
  using From = upstream::HashKey::From;
  std::string_view text;
  switch (hash.from) {
    case From::kNone: break;
    case From::kHeader:  // as the service gets it
      if (kept_.annotations.added().find(hash.name, text) == 0) call_.request.headers.find(hash.name, text);
      break;
    case From::kCookie: text = request::cookieNamed(call_.request.headers, hash.name); break;
    case From::kPrincipal: text = call_.principal->id; break;
    case From::kSource: text = call_.session->peerText(); break;
  }
  if (text.empty()) return std::nullopt;
  return upstream::ringKey(text);
}

// Once for a request: its retries stay there. Policy has decided before, and cannot be decided by it.
void Forwarding::chooseCluster() {
  const auto& clusters = call_.route->clusters;
  uint64_t sum = 0;
  for (const auto& [name, weight] : clusters) sum += weight;
  thread_local std::minstd_rand random{std::random_device{}()};
  const auto key = keyOf(call_.route->split_by);
  uint64_t left = (key ? *key : std::uniform_int_distribution<uint64_t>()(random)) % sum;
  for (const auto& [name, weight] : clusters) {
    call_.split_cluster = &name;
    if (left < weight) return;
    left -= weight;
  }
}

// In place of what the caller sent there; policy has the last word.
bool Forwarding::addOwnToken(const upstream::ClusterConfig& config) {
  if (config.token_audience.empty() || !kept_.own_token.empty()) return true;
  request::dropNamed(call_.request.headers, std::array<std::string, 1>{config.token_header});
  for (const auto& field : kept_.annotations.added().fields()) {
    if (request::isNamed(field.name, std::array<std::string, 1>{config.token_header})) return true;
  }
  if (call_.request.method == "TRACE") return true;  // its answer would show the token to the caller (RFC 9110 9.3.8)
  const auto token = worker_.own_token ? worker_.own_token(config.token_audience) : nullptr;
  if (token == nullptr) return false;
  kept_.own_token = (config.token_header == "authorization" ? "Bearer " : "") + *token;
  kept_.own_token_header = config.token_header;
  kept_.annotations.add(kept_.own_token_header, kept_.own_token);
  return true;
}

void Forwarding::onLease(upstream::Lease lease) {
  if (pool_ == nullptr) return;                         // given back by its destructor
  if (!events_.onConnection(lease.endpoint())) return;  // the pool has been told
  pool_ = nullptr;
  lease_ = std::move(lease);
  asked_nanos_ = 0;
  const auto& request = call_.request;
  if (request.wants_websocket && !lease_.http2()) {
    if (kept_.websocket_key.empty()) {
      kept_.websocket_key = webSocketKey();
      kept_.annotations.add("sec-websocket-key", kept_.websocket_key);
    }
  }
  lease_.open(*this).sendRequest(request, kept_.annotations.added());
  if (lease_ && !call_.body.empty()) {
    body_sent_ = true;
    lease_.stream().sendBody(call_.body);
  }
  if (!lease_) return;
  // A WebSocket request is not ended, so that data can follow once the service accepts.
  if (!request.wants_websocket && (!call_.hasBody() || call_.request_ended)) sendEnd();
  if (lease_) events_.onSent();
}

void Forwarding::onNoUpstream(const std::string& why, Lack lack) {
  pool_ = nullptr;
  if (lack == Lack::kOverflow) return events_.onFailure(Cause::kOverflow, why);
  if (call_.route->retry.connect && mayRetry(false)) return retry(why);
  events_.onFailure(lack == Lack::kUntrusted ? Cause::kUpstreamUntrusted : Cause::kNoUpstream, why);
}

void Forwarding::sendBody(std::string_view data) {
  body_sent_ = streamed_ = true;
  lease_.stream().sendBody(data);
}

void Forwarding::sendEnd() {
  if (call_.tunnel()) return lease_.stream().sendEnd({});
  asked_nanos_ = base::steadyNanos();
  lease_.stream().sendEnd(trailers());
  limitTry();
}

// Policy has decided on the head. A service that merges trailers into its headers would see something else, so trailers
// are forwarded only if the route says so.
const http::HeaderMap& Forwarding::trailers() {
  auto& request = call_.request;
  if (!call_.route->forward_trailers) request.trailers.clear();
  else request::dropUntrustedTrailers(request, worker_.authorizer.ownedHeaders());
  dropTokensFromTrailers(call_, worker_.providers().get());
  if (!kept_.own_token.empty())
    request::dropNamed(request.trailers, std::array<std::string, 1>{kept_.own_token_header});
  request::dropNamed(request.trailers, permit_.obligations().remove_headers);
  return request.trailers;
}

void Forwarding::limitAnswer(size_t appetite) {
  if (lease_) lease_.limitNextRead(appetite);
}
void Forwarding::pauseAnswer() {
  if (lease_) lease_.stream().pauseBody();
}
void Forwarding::resumeAnswer(size_t appetite) {
  if (!lease_) return;
  lease_.limitNextRead(appetite);
  lease_.stream().resumeBody();
}
void Forwarding::suspect(bool leave) {
  if (!lease_) return;
  if (leave) lease_.leave();
  // Not where the caller chose the time, or has not sent all: it could eject endpoints.
  const bool all_sent = !call_.hasBody() || call_.request_ended;
  if (leave && !answered_ && all_sent) lease_.failed("no answer in time");
  lease_.suspect();
}

void Forwarding::release() {
  if (pool_ != nullptr) pool_->cancel(*this);
  pool_ = nullptr;
  again_.cancel();
  try_timer_.cancel();
  lease_.release();
}

// UNAVAILABLE is what a gRPC service says that cannot serve; other codes a caller may provoke.
bool Forwarding::isUnavailable(const http::HeaderMap& fields) const {
  constexpr std::string_view kUnavailable = "14";
  std::string_view code;
  return call_.grpc() != nullptr && fields.find("grpc-status", code) == 1 && code == kUnavailable;
}

void Forwarding::onResponse() {
  http::ResponseHead& head = kept_.response;
  request::dropFromResponse(head);
  const bool tunnel = head.framing == http::Framing::kTunnel;
  if (head.status < 200 && !tunnel) return events_.onInterim(head);
  if (tunnel) {
    if (!agrees()) return;
  } else if (call_.request.wants_websocket && call_.request.version == http::Version::kHttp2 && head.status < 300) {
    release();
    return events_.onFailure(Cause::kMalformedResponse,
                             "the upstream answered a WebSocket handshake with neither 101 nor an error");
  }
  const int status = isUnavailable(head.headers) ? 503 : head.status;
  if (asked_nanos_ != 0) lease_.answered((base::steadyNanos() - asked_nanos_) / 1000);
  const bool of_request = status == 501 || status == 505;  // which a caller can provoke
  const auto& statuses = call_.route->retry.statuses;
  if (!tunnel && std::find(statuses.begin(), statuses.end(), status) != statuses.end() && mayRetry(true)) {
    const std::string why = "status " + std::to_string(status);
    if (!of_request) lease_.failed(why);
    return retry(why);
  }
  answered_ = true;
  try_timer_.cancel();
  if (status >= 500 && !of_request) lease_.failed("status " + std::to_string(status));
  else if (!of_request) lease_.succeeded();
  events_.onAnswer(head);
}

// The service proves that it speaks WebSocket; the client's own key is answered by the downstream half.
bool Forwarding::agrees() {
  http::HeaderMap& headers = kept_.response.headers;
  std::string_view accept;
  if (!lease_.http2() &&
      (headers.find("sec-websocket-accept", accept) != 1 || accept != webSocketAccept(kept_.websocket_key))) {
    lease_.failed("a 101 that does not answer the handshake's key");
    release();
    events_.onFailure(Cause::kMalformedResponse, "a 101 that does not answer the handshake's key");
    return false;
  }
  for (auto& field : headers.fields()) {
    if (field.name == "sec-websocket-accept") field.dropped = true;
  }
  return true;
}

void Forwarding::onEnd() {
  if (isUnavailable(kept_.response.trailers)) lease_.brokeOff("gRPC status 14", false);
  else lease_.completed();
  if (call_.tunnel()) answer_ended_ = true;
  else lease_.release();  // first, because the end of the response may start the client's next request
  events_.onAnswerEnd(kept_.response.trailers);
}

void Forwarding::onReset(http::ResetCause cause, std::string_view detail) {
  const bool repeat = mayRepeat(cause);
  const bool done = cause == http::ResetCause::kEnough;  // it has answered all that it wanted to
  using Reset = http::ResetCause;
  const bool broken = cause == Reset::kPeerClosed || cause == Reset::kProtocolError || cause == Reset::kTooLarge ||
                      (cause == Reset::kReset && !call_.request.wants_websocket);
  // Not where the request was not sent whole: a caller that stalls makes any service give up.
  const bool all_sent = !call_.hasBody() || call_.request_ended;
  if (lease_ && !repeat && !answered_ && broken && all_sent)
    lease_.lost(detail.empty() ? "closed" : std::string(detail), cause == Reset::kPeerClosed);
  if (lease_ && answered_ && broken && !call_.tunnel())
    lease_.brokeOff("it broke off its answer", cause == Reset::kPeerClosed);
  if (done && answer_ended_) {
    lease_.release();
    return events_.onEnough();
  }
  const bool lost = cause == Reset::kPeerClosed || cause == Reset::kReset;
  const bool untouched = cause == Reset::kRefused;  // the service says so
  const std::string why = detail.empty() ? "it closed the connection" : std::string(detail);
  if (!repeat && (lost || untouched) && call_.route->retry.reset && mayRetry(!untouched)) return retry(why);
  if (repeat) recordAttempt(attempt_ + 1, why);
  lease_.release();
  if (cause == http::ResetCause::kHeadTooLarge) return events_.onFailure(Cause::kHeadTooLarge, detail);
  if (repeat) {
    repeated_ = true;
    if (ticket_ == 0) return acquire(true);
    fresh_next_ = true;
    events_.onSeeking();
    return worker_.loop.nextTurn(again_);
  }
  if (cause == http::ResetCause::kTooLarge) return events_.onFailure(Cause::kResponseTooLarge, detail);
  const bool malformed = cause == http::ResetCause::kProtocolError;
  events_.onFailure(malformed ? Cause::kMalformedResponse : Cause::kUpstreamClosed, detail);
}

}  // namespace yett::proxy
