#include "proxy/account.h"

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "proxy/session.h"
#include "proxy/worker.h"
#include "request/question.h"

namespace yett::proxy {

// A refused target without its query, fragment and user info, which may be secrets.
static std::string shownTarget(std::string_view raw) {
  constexpr size_t kMax = 1024;
  raw = raw.substr(0, std::min(raw.find_first_of("?#"), kMax));
  const size_t scheme = raw.find("://");
  const size_t at = raw.rfind('@');
  if (scheme == std::string_view::npos || at == std::string_view::npos || at < scheme) return base::printable(raw);
  return base::printable(raw.substr(0, scheme + 3)) + "***" + base::printable(raw.substr(at));
}

authz::Outcome Account::outcome(std::string_view shadow) const {
  return {.status = status,
          .upstream = upstream,
          .bytes_in = bytes_in,
          .bytes_out = bytes_out,
          .duration_micros = micros_,
          .result = text(result_),
          .shadow = shadow};
}

void Account::close(const Call& call, Worker& worker, authz::OpenDecision& decision, Cause result,
                    const http::ResponseHead* answer) {
  micros_ = (base::steadyNanos() - call.began_nanos) / 1000;
  result_ = result;
  // The service's status of the call: in its trailers, or in its head if there is nothing else.
  std::string_view said;
  if (call.grpc() != nullptr && grpc_status.empty() && answer != nullptr &&
      (answer->trailers.find("grpc-status", said) == 1 || answer->headers.find("grpc-status", said) == 1))
    grpc_status = said;
  if (!call.shadow.asked()) decision.end(outcome());
  worker.request_duration.observeMicros(micros_);
  worker.counts.request(call.listener->config.name, call.routeName(), status);
  if (cause != Cause::kNone) worker.counts.cause(cause);
  if (call.route != nullptr && (!upstream.empty() || cause == Cause::kNoUpstream || cause == Cause::kOverflow))
    worker.counts.upstream(call.clusterName(), cause);
  if (worker.access_log != nullptr) logAccess(call, worker, text(result));
}

void Account::settle(Call& call, Worker& worker, authz::OpenDecision& decision) {
  if (!call.shadow.asked()) return;
  if (result_ == Cause::kNone) result_ = Cause::kAborted;
  decision.end(outcome(call.shadow.answer(worker.authorizer)));
  call.shadow.clear();
}

void Account::clear() {
  status = 0;
  bytes_in = bytes_out = micros_ = 0;
  cause = result_ = Cause::kNone;
  detail.clear();
  upstream.clear();
  grpc_status.clear();
  told_id = {};
}

void Account::logAccess(const Call& call, Worker& worker, std::string_view result) const {
  thread_local std::string line;
  line.clear();
  json::ObjectWriter out(line);
  out.field("time", base::formatTime(call.began_wall));
  const auto& decided = call.decided;
  if (decided.id[0] != '\0') out.field("decision_id", base::view(decided.id));
  out.field("listener", call.listener->config.name);
  if (call.route != nullptr) out.field("route", call.route->name);
  out.field("principal", call.principal ? std::string_view(call.principal->id) : "");
  out.field("source", call.session->peerText());
  out.field("method", call.request.method).field("host", call.request.host).field("path", call.request.target.path);
  if (cause == Cause::kBadRequest && call.request.target.path.empty() && !call.request.raw_target.empty())
    out.field("target", shownTarget(call.request.raw_target));
  out.field("protocol", request::protocolName(call.request.version));
  out.field("status", status);
  if (!grpc_status.empty()) out.field("grpc_status", grpc_status);
  if (decided.id[0] != '\0')
    out.field("effect", decided.allow ? "allow" : "deny").field("policy", decided.policy).field("rule", decided.rule);
  if (cause != Cause::kNone) out.field("cause", text(cause));
  if (!detail.empty()) out.field("detail", detail);
  if (!upstream.empty()) out.field("upstream", upstream);
  out.field("result", result).field("bytes_in", bytes_in).field("bytes_out", bytes_out).field("duration_us", micros_);
  out.end();
  line += '\n';
  worker.access_log->write(line);
}

}  // namespace yett::proxy
