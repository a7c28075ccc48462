#include "base/json.h"
#include "base/text.h"

namespace yett::base {

std::string forTerminal(std::string_view text) {
  // JSON quoting escapes everything that breaks a line or moves the cursor. If it escapes nothing, the text is safe.
  std::string quoted;
  json::appendQuoted(quoted, text);
  const bool escaped = quoted.find("\\u") != std::string::npos || quoted.find("\\n") != std::string::npos ||
                       quoted.find("\\r") != std::string::npos || quoted.find("\\t") != std::string::npos ||
                       quoted.find("\\b") != std::string::npos || quoted.find("\\f") != std::string::npos;
  return escaped || !json::isUtf8(text) ? printable(text) : std::string(text);
}

}  // namespace yett::base
