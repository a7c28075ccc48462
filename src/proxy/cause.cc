#include "proxy/cause.h"

#include <array>

#include "proxy/grpc.h"

namespace yett::proxy {
namespace {

constexpr int kByStatus = -1;
constexpr int kDeadlineExceeded = 4;
constexpr int kResourceExhausted = 8;

// In the order of the enum.
constexpr std::array<CauseInfo, kCauses> kTable{{
    {Cause::kNone, 0, kByStatus, "", "", ""},
    {Cause::kComplete, 0, kByStatus, "complete", "complete", ""},
    {Cause::kAborted, 0, kByStatus, "aborted", "aborted", ""},
    {Cause::kClientClosed, 0, kByStatus, "client closed", "client_closed", ""},
    {Cause::kClientTooSlow, 0, kByStatus, "client too slow", "client_too_slow", ""},
    {Cause::kDenied, 403, kByStatus, "denied", "denied", ""},
    {Cause::kAuditUnavailable, 503, kByStatus, "audit unavailable", "audit_unavailable",
     "the decision could not be recorded"},
    {Cause::kNewerPolicy, 403, kByStatus, "ended by a newer policy", "newer_policy", ""},
    {Cause::kAllowedNoMore, 403, kByStatus, "allowed no more after a wait", "allowed_no_more", ""},
    {Cause::kOutOfHours, 403, kByStatus, "ended by the hours of a rule", "out_of_hours", ""},
    {Cause::kCertificateUntrusted, 403, kByStatus, "the caller's certificate is trusted no more",
     "certificate_untrusted", ""},
    {Cause::kCertificateExpired, 403, kByStatus, "the caller's certificate has expired", "certificate_expired", ""},
    {Cause::kTokenMissing, 401, kByStatus, "no token", "token_missing", "a token is needed"},
    {Cause::kTokenInvalid, 401, kByStatus, "bad token", "token_invalid", ""},
    {Cause::kTokenExpired, 401, kByStatus, "the token has expired", "token_expired", "the token has expired"},
    {Cause::kTokenKeys, 503, kByStatus, "no keys for tokens", "token_keys",
     "the keys of the token's provider are not known yet"},
    {Cause::kTokenRevoked, 401, kByStatus, "the token's key or provider is gone", "token_revoked",
     "the key or the provider of the token is gone"},
    {Cause::kNoRoute, 404, kByStatus, "no route", "no_route", ""},
    {Cause::kEncodedSlash, 400, kByStatus, "encoded slash", "encoded_slash",
     "the path has an encoded slash or backslash"},
    {Cause::kNoUpgrade, 501, kByStatus, "no upgrade", "no_upgrade", "the route does not allow WebSockets"},
    {Cause::kBadHandshake, 400, kByStatus, "bad handshake", "bad_handshake", ""},
    {Cause::kBadGrpcTimeout, 400, kByStatus, "bad grpc-timeout", "bad_grpc_timeout", "the grpc-timeout is not valid"},
    {Cause::kBadForwardedCert, 400, kByStatus, "bad x-forwarded-client-cert", "bad_forwarded_cert",
     "x-forwarded-client-cert is not valid"},
    {Cause::kBadRequest, 400, kByStatus, "bad request", "bad_request", ""},
    {Cause::kBodyTooLarge, 413, kByStatus, "body too large", "body_too_large",
     "the body is larger than policy may see on this route"},
    {Cause::kTooManyBodies, 503, kByStatus, "too many bodies", "too_many_bodies",
     "the bodies of this caller have reached the memory limit per caller"},
    {Cause::kRateLimited, 429, kResourceExhausted, "rate limited", "rate_limited", "too many requests"},
    {Cause::kRequestTimeout, 408, kByStatus, "timeout", "request_timeout", "the request body took too long"},
    {Cause::kRequestTooLarge, 413, kByStatus, "too large", "request_too_large", ""},
    {Cause::kRequestBroken, 400, kByStatus, "protocol error", "request_broken", ""},
    {Cause::kNoUpstream, 503, kByStatus, "no upstream", "no_upstream", ""},
    {Cause::kUpstreamUntrusted, 503, kByStatus, "upstream untrusted", "upstream_untrusted",
     "the service could not prove who it is"},
    {Cause::kOverflow, 503, kByStatus, "overflow", "overflow", "too many requests are under way to the service"},
    {Cause::kDeadline, 504, kDeadlineExceeded, "deadline exceeded", "deadline", ""},
    {Cause::kLifetime, 504, kByStatus, "lifetime over", "lifetime", ""},
    {Cause::kClientTimeout, 504, kByStatus, "client timeout", "client_timeout", ""},
    {Cause::kUpstreamTimeout, 504, kByStatus, "upstream timeout", "upstream_timeout", ""},
    {Cause::kMalformedResponse, 502, kByStatus, "malformed response", "malformed_response", ""},
    {Cause::kResponseTooLarge, 502, kByStatus, "response head too large", "response_too_large", ""},
    {Cause::kHeadTooLarge, 431, kByStatus, "head too large for the service", "head_too_large", ""},
    {Cause::kUpstreamClosed, 502, kByStatus, "upstream closed", "upstream_closed", ""},
}};

constexpr bool inOrder() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].cause) != i) return false;
  }
  return true;
}
static_assert(inOrder());

}  // namespace

const CauseInfo& info(Cause cause) {
  return kTable[static_cast<size_t>(cause)];
}

Cause causeOf(http::ResetCause cause) {
  switch (cause) {
    case http::ResetCause::kTimeout: return Cause::kRequestTimeout;
    case http::ResetCause::kTooLarge: return Cause::kRequestTooLarge;
    default: return Cause::kRequestBroken;
  }
}

int grpcCode(Cause cause, int http_status) {
  const int own = info(cause).grpc;
  return own != kByStatus ? own : grpcStatus(http_status);
}

}  // namespace yett::proxy
