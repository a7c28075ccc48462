// What a proxy must know of gRPC over HTTP/2: which requests are, their deadline, and how to refuse one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/head.h"

namespace yett::proxy {

/// HTTP/2, POST, content-type application/grpc, application/grpc+proto, application/grpc;...
bool isGrpc(const http::RequestHead& head);

/// The value of grpc-timeout in nanoseconds: up to eight digits and one of H M S m u n. Nothing where it is none.
std::optional<int64_t> parseGrpcTimeout(std::string_view value);

/// The gRPC status that stands for an HTTP status of Yett's own answers.
int grpcStatus(int http_status);
inline constexpr int kGrpcDeadlineExceeded = 4;

/// `text` as grpc-message wants it: printable ASCII, all else and `%` as %XX.
std::string grpcMessage(std::string_view text);

}  // namespace yett::proxy
