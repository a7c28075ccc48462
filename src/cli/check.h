// `yett check`: reports every problem in a configuration or a policy directory, without serving.
#pragma once

#include <string>

namespace yett::cli {

struct CheckOptions {
  std::string target;           ///< a configuration file or a policy directory
  bool strict = false;          ///< warnings are problems
  bool online = false;          ///< also probe each sink
  bool sandbox = false;         ///< also print what the running process may do
  std::string format = "text";  ///< or json
};

/// Returns the exit status.
int check(const CheckOptions& options);

}  // namespace yett::cli
