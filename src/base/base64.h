// Base64 and base64url (RFC 4648), read strictly: each sequence of bytes has exactly one spelling.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::base {

enum class Base64 : uint8_t {
  kPadded,  ///< section 4, with its padding
  kUrl,     ///< section 5, without padding
};

/// The value of a digit; -1 for another character.
int base64Digit(char c, Base64 form);

/// Calls put(char) for each byte. Null, or what is wrong; then some bytes may have been put.
template <typename Put>
const char* decodeBase64(std::string_view text, Base64 form, Put put) {
  if (form == Base64::kPadded) {
    if (text.size() % 4 != 0) return "its length is not a multiple of four: is its padding missing?";
    for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  } else if (text.ends_with('=')) {
    return "it has padding, which base64url does not have here";
  }
  if (text.size() % 4 == 1) return "its length is impossible";
  uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const int value = base64Digit(c, form);
    if (value < 0) return "a character that is not in the alphabet";
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    put(static_cast<char>(bits >> have & 0xff));
  }
  return (bits & ((1u << have) - 1)) == 0 ? nullptr : "bits after its end are not zero, so it has several spellings";
}

Result<std::string> fromBase64(std::string_view text, Base64 form);
/// With padding.
std::string toBase64(std::string_view bytes);

}  // namespace yett::base
