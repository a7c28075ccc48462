// The answers that Yett gives by itself: a problem document (RFC 9457), or what gRPC clients understand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/uuid7.h"
#include "http/stream.h"
#include "proxy/cause.h"

namespace yett::proxy {

struct LocalReply {
  Cause cause;
  int status;                         ///< of HTTP; of gRPC what stands for it
  std::string_view detail;            ///< for the caller; may be ""
  const base::UuidText& decision_id;  ///< all zero: none
};

/// All but the end of the message, which the caller of this sends once its exchange is over: it may begin the next
/// request. Returns the size of the body.
size_t sendProblem(http::ServerStream& down, const LocalReply& reply);

/// The same as a trailers-only response with status 200. Returns the gRPC status.
std::string sendGrpcStatus(http::ServerStream& down, const LocalReply& reply);

/// Adds the fields that say so in gRPC: to trailers that end an answer which has begun. `message` holds the text that
/// they refer to.
void addGrpcStatus(const LocalReply& reply, const std::string& code, std::string& message, http::HeaderMap& to);

}  // namespace yett::proxy
