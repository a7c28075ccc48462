// Sends requests to a running Yett over its admin socket.
#pragma once

#include <string>

#include "base/result.h"

namespace yett::admin {

/// The response body of a GET. Errors as in post().
Result<std::string> get(const std::string& socket, const std::string& path);

/// POSTs a JSON body to the Unix socket and returns the response body. Any status but 200 is an Error with that body.
Result<std::string> post(const std::string& socket, const std::string& path, const std::string& body);

}  // namespace yett::admin
