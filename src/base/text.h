// Small text functions without a better home: ASCII only, no locale, no allocation unless they return a string or a
// list.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace yett::base {

constexpr char toLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
constexpr char toUpper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c;
}
bool equalsIgnoreCase(std::string_view a, std::string_view b);
void lowerInPlace(char* data, size_t size);
std::string lowered(std::string_view text);

/// Cuts SP and HTAB from both ends (OWS of RFC 9110 5.6.3).
std::string_view trimmed(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string joined(const std::vector<std::string>& parts, std::string_view separator);

std::string hex(std::string_view bytes);
/// printable() text escaped for XML and HTML, in content and in attributes.
std::string markup(std::string_view text);
/// Decodes hex digits, in either case.
Result<std::string> unhex(std::string_view digits);
/// -1 for a character that is not a hex digit.
constexpr int hexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Digits only, no sign, no whitespace; false on anything else or on overflow.
bool parseUnsigned(std::string_view text, uint64_t& out);
void appendNumber(std::string& out, uint64_t value);

/// The name nearest to `name` by edit distance, or empty if none is close enough.
std::string_view nearestName(std::string_view name, std::span<const std::string_view> known);
/// ", did you mean `x`?" or empty.
std::string didYouMean(std::string_view name, std::span<const std::string_view> known);

/// Writes all bytes but printable ASCII as \xNN: a quoted peer cannot forge lines or terminal sequences.
std::string printable(std::string_view bytes);
/// The same for text in any language: UTF-8 without control characters is returned unchanged.
std::string forTerminal(std::string_view text);

/// Frees a reused buffer that once had to hold far more than the `needed` bytes: over 1 MiB and four times as much.
void freeIfOversized(std::string& buffer, size_t needed);

}  // namespace yett::base
