// gRPC at the edge: which requests are answered as gRPC, and the deadline they set.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/head.h"

namespace yett::request {

/// POST with one gRPC content type (policy::isGrpcType) over HTTP/2: only there do clients understand trailers.
bool isGrpc(const http::RequestHead& head);

/// The value of grpc-timeout in nanoseconds: up to eight digits and one of H M S m u n. Nothing if it is invalid.
std::optional<int64_t> parseGrpcTimeout(std::string_view value);

}  // namespace yett::request
