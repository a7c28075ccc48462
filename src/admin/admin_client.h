// Asking a running Yett over its admin socket.
#pragma once

#include <string>

#include "base/result.h"

namespace yett::admin {

/// The answer's body to a GET. Errors as post().
Result<std::string> get(const std::string& socket, const std::string& path);

/// POSTs a JSON body to the Unix socket and returns the answer's body. Any status but 200 is an error that holds it.
Result<std::string> post(const std::string& socket, const std::string& path, const std::string& body);

}  // namespace yett::admin
