// How a gRPC call ended (gRPC over HTTP/2, "Responses").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/head.h"

namespace yett::rpc {

/// The codes of gRPC that the code names. Others pass through as numbers.
enum class GrpcCode : int {
  kOk = 0,
  kUnknown = 2,
  kInvalidArgument = 3,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

struct GrpcStatus {
  GrpcCode code = GrpcCode::kOk;
  std::string message;  ///< as the server wrote it: print it with base::printable()
  bool lost = false;    ///< the connection ended, not the call alone
  bool ok() const { return code == GrpcCode::kOk; }
};

/// "PERMISSION_DENIED", or the number of a code without a name.
std::string nameOf(GrpcCode code);

/// The status of a response that has ended: from its trailers, or from its head if it had no body.
GrpcStatus statusOf(const http::ResponseHead& head);

/// What an HTTP status stands for where there is no gRPC status (gRPC, "HTTP to gRPC Status Code Mapping").
GrpcCode codeOfHttp(int status);

/// `text` of a grpc-message with its escapes (%XX) replaced; what is not an escape stays.
std::string decodedMessage(std::string_view text);

}  // namespace yett::rpc
