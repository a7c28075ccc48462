// What the process may have at once: descriptors by RLIMIT_NOFILE, connections by memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/config.h"

namespace yett::app {

/// Of connections, on both sides. What is left is for reload, the log and the admin side.
int64_t descriptorsForConnections();
/// Of each of the admin side's two listeners: half of what is left is for the rest.
size_t maxAdminSessions();
/// Of callers. Many are idle, and those who are not need connections to services: a quarter is for these alone.
int64_t maxConnections(const config::Config& config, int64_t descriptors);

}  // namespace yett::app
