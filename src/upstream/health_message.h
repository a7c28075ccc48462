// The messages of grpc.health.v1.
#pragma once

#include <string>
#include <string_view>

namespace yett::upstream {

inline constexpr int kServing = 1;

/// HealthCheckRequest; "" asks for the whole server.
std::string healthRequest(const std::string& service);

/// The status in a HealthCheckResponse; -1: it is none.
int healthStatus(std::string_view message);

}  // namespace yett::upstream
