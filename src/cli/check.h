// `yett check`: every problem of a configuration, or of a policy directory, without serving anything.
#pragma once

#include <string>

namespace yett::cli {

/// `target`: a configuration file or a policy directory. `strict`: warnings count. `online`: each sink is tried.
/// Returns the exit status.
int check(const std::string& target, bool strict, bool online);

}  // namespace yett::cli
