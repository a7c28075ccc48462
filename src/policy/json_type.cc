#include "policy/json_type.h"

#include <algorithm>

#include "base/text.h"

namespace yett::policy {
namespace {

bool isTokenChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string_view takeToken(std::string_view& rest) {
  size_t size = 0;
  while (size < rest.size() && isTokenChar(rest[size])) ++size;
  const auto out = rest.substr(0, size);
  rest.remove_prefix(size);
  return out;
}

bool take(std::string_view& rest, char c) {
  if (!rest.starts_with(c)) return false;
  rest.remove_prefix(1);
  return true;
}

// A token or a quoted string (RFC 9110 5.6.4). Rejects strings with a backslash, which no charset contains.
bool takeValue(std::string_view& rest, std::string_view& out) {
  if (!take(rest, '"')) return !(out = takeToken(rest)).empty();
  const auto end = rest.find_first_of("\"\\");
  if (end == std::string_view::npos || rest[end] == '\\') return false;
  out = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

}  // namespace

bool isJsonType(std::string_view text, std::span<const std::string> more) {
  std::string_view rest = base::trimmed(text);
  const auto type = takeToken(rest);
  if (type.empty() || !take(rest, '/')) return false;
  const auto subtype = takeToken(rest);
  if (subtype.empty()) return false;
  const std::string whole = base::lowered(type) + "/" + base::lowered(subtype);
  if (whole != "application/json" && !whole.ends_with("+json") &&
      std::find(more.begin(), more.end(), whole) == more.end())
    return false;
  int charsets = 0;
  for (;;) {
    rest = base::trimmed(rest);
    if (rest.empty()) return true;
    if (!take(rest, ';')) return false;
    rest = base::trimmed(rest);
    if (rest.empty()) return true;
    const auto name = takeToken(rest);
    std::string_view value;
    if (name.empty() || !take(rest, '=') || !takeValue(rest, value)) return false;
    // Some parsers treat `charset*` and `charset*0` (RFC 2231) as charsets.
    if (!base::equalsIgnoreCase(name.substr(0, name.find('*')), "charset")) continue;
    if (name.find('*') != std::string_view::npos) return false;
    if (++charsets > 1 || (!base::equalsIgnoreCase(value, "utf-8") && !base::equalsIgnoreCase(value, "utf8")))
      return false;
  }
}

}  // namespace yett::policy
