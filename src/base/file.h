// Reads whole files up to a size limit, never on an event loop. Files that affect decisions are read through
// file_trust.h.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace yett::base {

/// The whole file. Errors name the path and what the system said; more than `limit` bytes is an error.
Result<std::string> readFile(const std::string& path, size_t limit = 64 << 20);

/// The same for an open descriptor; errors refer to it as `path`.
Result<std::string> readDescriptor(int fd, const std::string& path, size_t limit);

/// `path` relative to the folder of `base_file`, unless it is absolute.
std::string relativeTo(const std::string& base_file, const std::string& path);

}  // namespace yett::base
