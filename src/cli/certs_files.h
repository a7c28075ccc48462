// Files of the development CA.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"

namespace yett::cli {

/// Writes a temporary file next to it, then renames it: a watcher sees the complete old file or the complete new one.
Status writeFile(const std::string& path, const std::string& content, mode_t mode);

/// Anyone who can write to the folder could replace our keys.
Status checkFolder(const std::string& directory);

}  // namespace yett::cli
