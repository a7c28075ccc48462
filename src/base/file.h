// Files, read whole, bounded, off the loops. What decides is read by way of file_trust.h.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace yett::base {

/// The whole file. Errors name the path and what the system said; more than `limit` bytes is an error.
Result<std::string> readFile(const std::string& path, size_t limit = 64 << 20);

/// The same of what is open; `path` names it in errors.
Result<std::string> readDescriptor(int fd, const std::string& path, size_t limit);

/// `path` as seen from the folder of `base_file`, unless absolute.
std::string relativeTo(const std::string& base_file, const std::string& path);

}  // namespace yett::base
