// What this program is built from.
#pragma once

#include <string>

namespace yett::app {

/// "yett 0.1.0 (0123456789ab)", without the commit if it is unknown.
std::string versionLine();

/// The line, and the versions of the libraries that it was built with.
std::string versionText();

/// "0123456789ab", or "".
std::string versionCommit();

}  // namespace yett::app
