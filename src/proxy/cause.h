// Why an exchange ended as it did: the one table from a cause to status, gRPC code, problem text, log text and metric
// label.
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
  kCertificateUntrusted,
  kCertificateExpired,
  // The request cannot be forwarded as it is.
  kNoRoute,
  kEncodedSlash,
  kNoUpgrade,
  kBadHandshake,
  kBadGrpcTimeout,
  kBadRequest,
  kBodyTooLarge,
  kTooManyBodies,
  kRequestTimeout,
  kRequestTooLarge,
  kRequestBroken,
  // The service.
  kNoUpstream,
  kDeadline,
  kLifetime,
  kClientTimeout,
  kUpstreamTimeout,
  kMalformedResponse,
  kResponseTooLarge,
  kHeadTooLarge,
  kUpstreamClosed,
};
inline constexpr size_t kCauses = 31;

struct CauseInfo {
  Cause cause;
  int status;               ///< of Yett's own answer, where whoever answers knows no better; 0: none is given
  int grpc;                 ///< likewise, in gRPC; -1: what stands for the status
  std::string_view text;    ///< for logs, and the `result` of the outcome: never changed, since records have it
  std::string_view label;   ///< of metrics
  std::string_view detail;  ///< what the caller is told, where whoever answers knows no better
};
const CauseInfo& info(Cause cause);
inline std::string_view text(Cause cause) {
  return info(cause).text;
}

/// The request will not be completed. Not for kPeerClosed.
Cause causeOf(http::ResetCause cause);

/// The gRPC status of an own answer for this cause with this HTTP status.
int grpcCode(Cause cause, int http_status);

}  // namespace yett::proxy
