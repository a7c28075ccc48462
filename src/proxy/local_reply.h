// Yett's own answers: a problem document (RFC 9457), or a gRPC status for gRPC clients.
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
  int status;                         ///< of HTTP; gRPC gets the code for it
  std::string_view detail;            ///< for the caller; may be ""
  const base::UuidText& decision_id;  ///< all zero: none
  int64_t retry_after = 0;            ///< seconds; 0: the default of the status
};

/// Sends all but the end of the message. The caller sends the end once its exchange is over, because it may start the
/// next request. Returns the size of the body.
size_t sendProblem(http::ServerStream& down, const LocalReply& reply);

/// The same as a trailers-only response with status 200. Returns the gRPC status.
std::string sendGrpcStatus(http::ServerStream& down, const LocalReply& reply);

/// Adds the gRPC status fields, for trailers that end a response that has begun. `message` holds the text that they
/// refer to.
void addGrpcStatus(const LocalReply& reply, const std::string& code, std::string& message, http::HeaderMap& to);

}  // namespace yett::proxy
