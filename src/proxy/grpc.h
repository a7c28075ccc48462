// Yett's own answers in gRPC.
#pragma once

#include <string>
#include <string_view>

namespace yett::proxy {

/// The gRPC status for an HTTP status of Yett's own answers.
int grpcStatus(int http_status);

/// `text` encoded for grpc-message: printable ASCII, everything else and `%` as %XX.
std::string grpcMessage(std::string_view text);

}  // namespace yett::proxy
