// What the kernel says about this process, as Prometheus text, by the names that client libraries use.
#pragma once

#include <string>

namespace yett::app {

/// Reads /proc/self. Any thread.
std::string processMetrics();

}  // namespace yett::app
