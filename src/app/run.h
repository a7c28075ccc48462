// `yett run`: serves until SIGTERM or SIGINT, reloads when files change or on SIGHUP.
#pragma once

#include <string>

#include "base/log.h"

namespace yett::app {

/// Returns the exit status.
int run(const std::string& config_file, base::Logger::Level level, bool unsafe);

}  // namespace yett::app
