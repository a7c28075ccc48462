// `yett check`: every problem of a configuration, or of a policy directory, without serving anything.
#pragma once

#include <string>

namespace yett::cli {

struct CheckOptions {
  std::string target;           ///< a configuration file or a policy directory
  bool strict = false;          ///< warnings count
  bool online = false;          ///< each sink is tried
  std::string format = "text";  ///< or json
};

/// Returns the exit status.
int check(const CheckOptions& options);

}  // namespace yett::cli
