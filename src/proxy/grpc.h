// How Yett's own answers are said in gRPC.
#pragma once

#include <string>
#include <string_view>

namespace yett::proxy {

/// The gRPC status that stands for an HTTP status of Yett's own answers.
int grpcStatus(int http_status);

/// `text` as grpc-message wants it: printable ASCII, all else and `%` as %XX.
std::string grpcMessage(std::string_view text);

}  // namespace yett::proxy
