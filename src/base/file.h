// Files as configuration, policy and keys are read: whole, bounded, off the loops.
#pragma once

#include <map>
#include <string>

#include "base/result.h"

namespace yett::base {

/// The whole file. Errors name the path and what the system said; more than `limit` bytes is an error.
Result<std::string> readFile(const std::string& path, size_t limit = 64 << 20);

/// As readFile, and an error where group or others may write the file: such content can't be trusted.
Result<std::string> readTrustedFile(const std::string& path, size_t limit = 64 << 20);

/// As readTrustedFile, and an error where others may read it.
Result<std::string> readSecretFile(const std::string& path, size_t limit = 1 << 20);

/// `path` as seen from the folder of `base_file`, unless absolute.
std::string relativeTo(const std::string& base_file, const std::string& path);

}  // namespace yett::base
