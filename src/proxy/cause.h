// Why an exchange ended: the one table that maps a cause to status, gRPC code, problem text, log text and metric label.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/stream.h"

namespace yett::proxy {

enum class Cause : uint8_t {
  kNone,
  // Nobody needs an answer.
  kComplete,
  kAborted,
  kClientClosed,
  kClientTooSlow,
  // The authorization stage.
  kDenied,
  kAuditUnavailable,
  kNewerPolicy,
  kAllowedNoMore,
  kOutOfHours,
  kCertificateUntrusted,
  kCertificateExpired,
  // The stage `tokens`.
  kTokenMissing,
  kTokenInvalid,
  kTokenExpired,
  kTokenKeys,
  kTokenRevoked,
  // The request cannot be forwarded as it is.
  kNoRoute,
  kEncodedSlash,
  kNoUpgrade,
  kBadHandshake,
  kBadGrpcTimeout,
  kBadForwardedCert,
  kBadRequest,
  kBodyTooLarge,
  kTooManyBodies,
  kRateLimited,
  kRequestTimeout,
  kRequestTooLarge,
  kRequestBroken,
  // The service.
  kNoUpstream,
  kUpstreamUntrusted,
  kOverflow,
  kDeadline,
  kLifetime,
  kClientTimeout,
  kUpstreamTimeout,
  kMalformedResponse,
  kResponseTooLarge,
  kHeadTooLarge,
  kUpstreamClosed,
};
inline constexpr size_t kCauses = 41;
/// Those that are the service's fault, or the way to it.
inline constexpr Cause kUpstreamFailures[] = {
    Cause::kNoUpstream,        Cause::kUpstreamUntrusted, Cause::kOverflow,      Cause::kUpstreamTimeout,
    Cause::kMalformedResponse, Cause::kResponseTooLarge,  Cause::kUpstreamClosed};

struct CauseInfo {
  Cause cause;
  int status;               ///< default HTTP status of Yett's own answer; 0: no answer
  int grpc;                 ///< its gRPC status; -1: derived from the HTTP status
  std::string_view text;    ///< for logs, and the `result` of the outcome: never change it, since records contain it
  std::string_view label;   ///< for metrics
  std::string_view detail;  ///< default detail for the caller
};
const CauseInfo& info(Cause cause);
inline std::string_view text(Cause cause) {
  return info(cause).text;
}

/// The cause for a request that will not be completed. Not for kPeerClosed.
Cause causeOf(http::ResetCause cause);

/// The gRPC status of Yett's own answer for this cause and HTTP status.
int grpcCode(Cause cause, int http_status);

}  // namespace yett::proxy
