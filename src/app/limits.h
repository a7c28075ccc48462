// Limits of the process: descriptors by RLIMIT_NOFILE, connections by memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/config.h"

namespace yett::app {

/// Descriptors for connections, on both sides. The rest is reserved for reload, the log and the admin interface.
int64_t descriptorsForConnections();
/// Limit for each of the two admin listeners. Together they take at most half of the reserved descriptors.
size_t maxAdminSessions();
/// Connections of callers. A quarter of the descriptors is kept for connections to services.
int64_t maxConnections(const config::Config& config, int64_t descriptors);

}  // namespace yett::app
