#include "policy/name_fold.h"

#include <utf8proc.h>

#include <algorithm>
#include <random>
#include <string>

#include "base/hash.h"
#include "base/text.h"

namespace yett::policy {
namespace {

bool isAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; });
}

// The folded text as code points in UTF-8. `text` is UTF-8; invalid bytes stay unchanged.
std::string folded(std::string_view text) {
  std::string out;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t character = 0;
    const auto size = utf8proc_iterate(at, left, &character);
    if (size <= 0) {
      out += static_cast<char>(*at++);
      --left;
      continue;
    }
    at += size;
    left -= size;
    utf8proc_int32_t parts[8];
    int last = 0;
    const auto count = utf8proc_decompose_char(character, parts, 8, UTF8PROC_CASEFOLD, &last);
    for (utf8proc_ssize_t i = 0; i < count && count <= 8; ++i) {
      utf8proc_uint8_t bytes[4];
      out.append(reinterpret_cast<char*>(bytes), static_cast<size_t>(utf8proc_encode_char(parts[i], bytes)));
    }
  }
  return out;
}

uint64_t seed() {
  static const uint64_t random = std::random_device{}() | uint64_t{std::random_device{}()} << 32;
  return random;
}

}  // namespace

uint32_t foldHash(std::string_view name) {
  char small[64];
  if (name.size() <= sizeof small && isAscii(name)) {
    std::transform(name.begin(), name.end(), small, base::toLower);
    return static_cast<uint32_t>(base::hashBytes({small, name.size()}, seed()));
  }
  return static_cast<uint32_t>(base::hashBytes(folded(name), seed()));
}

bool foldsAlike(std::string_view a, std::string_view b) {
  if (isAscii(a) && isAscii(b)) return base::equalsIgnoreCase(a, b);
  return folded(a) == folded(b);
}

}  // namespace yett::policy
