#include "base/json.h"
#include "base/text.h"

namespace yett::base {

std::string forTerminal(std::string_view text) {
  // As JSON it is one line, and nothing in it moves a cursor: if that changes nothing, it was fine.
  std::string quoted;
  json::appendQuoted(quoted, text);
  const bool escaped = quoted.find("\\u") != std::string::npos || quoted.find("\\n") != std::string::npos ||
                       quoted.find("\\r") != std::string::npos || quoted.find("\\t") != std::string::npos ||
                       quoted.find("\\b") != std::string::npos || quoted.find("\\f") != std::string::npos;
  return escaped || !json::isUtf8(text) ? printable(text) : std::string(text);
}

}  // namespace yett::base
