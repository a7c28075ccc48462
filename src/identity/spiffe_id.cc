#include "identity/spiffe_id.h"

#include <algorithm>

#include "base/text.h"

namespace yett::identity {
namespace {

constexpr std::string_view kScheme = "spiffe://";
constexpr size_t kMaxBytes = 2048;

bool isDomainChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}
bool isPathChar(char c) {
  return isDomainChar(c) || (c >= 'A' && c <= 'Z');
}

}  // namespace

bool isTrustDomain(std::string_view name) {
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), isDomainChar);
}

Result<SpiffeId> SpiffeId::parse(std::string_view text) {
  const auto bad = [&](const char* why) {
    return Error{"`" + base::printable(text.substr(0, 128)) + "` is not a SPIFFE ID: " + why};
  };
  if (text.size() > kMaxBytes) return bad("it is longer than 2048 bytes");
  if (!text.starts_with(kScheme)) return bad("it does not begin with `spiffe://`");
  const auto rest = text.substr(kScheme.size());
  const auto slash = std::min(rest.find('/'), rest.size());
  if (!isTrustDomain(rest.substr(0, slash))) return bad("a trust domain is 1 to 255 bytes of a-z, 0-9, `.`, `-`, `_`");
  std::string_view path = rest.substr(slash);
  while (!path.empty()) {
    const auto end = std::min(path.find('/', 1), path.size());
    const auto segment = path.substr(1, end - 1);
    if (segment.empty()) return bad("its path has an empty segment or a trailing slash");
    if (segment == "." || segment == "..") return bad("its path has a dot segment");
    if (!std::all_of(segment.begin(), segment.end(), isPathChar))
      return bad("its path has a character other than letters, digits, `.`, `-`, `_`");
    path.remove_prefix(end);
  }
  SpiffeId id;
  id.text_ = text;
  id.domain_size_ = slash;
  return id;
}

}  // namespace yett::identity
