// Explains addresses in the style of other programs.
#pragma once

#include <string>

namespace yett::config {

/// Why `text` is not an address to listen on, or (`service`) to connect to, and what to write instead; "" if it has the
/// form of one. Names are not looked up.
std::string whyNotAddress(const std::string& text, bool service);

}  // namespace yett::config
