// `yett init`: a first configuration with development certificates, a policy and its test.
#pragma once

#include <string>

namespace yett::cli {

struct InitOptions {
  std::string directory = ".";
  int port = 0;          ///< where callers connect; 0: ask, or 8443
  std::string upstream;  ///< host:port of the service; "": ask, or 127.0.0.1:8080
  std::string trust_domain = "example.org";
  bool force = false;  ///< replace existing files
};

/// Asks on the terminal for what is not given. Returns the exit status.
int init(InitOptions options);

}  // namespace yett::cli
