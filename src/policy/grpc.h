// Which requests are gRPC: the one definition, for both policy and proxy.
#pragma once

#include <string_view>

namespace yett::policy {

/// application/grpc, application/grpc+proto, application/grpc;x=y; in any case (RFC 9110 8.3.1), as services read it.
bool isGrpcType(std::string_view content_type);

}  // namespace yett::policy
