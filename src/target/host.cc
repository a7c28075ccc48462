#include "target/host.h"

#include <arpa/inet.h>

#include "base/text.h"

namespace yett::target {
namespace {

bool isNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
}

Status checkPort(std::string_view rest) {
  if (rest.empty()) return {};
  uint64_t port = 0;
  if (rest == ":") return {};  // RFC 3986 3.2.3: an empty port is the default one
  if (rest[0] != ':' || rest.size() > 6 || !base::parseUnsigned(rest.substr(1), port) || port > 65535) {
    return Error{"a host with a bad port"};
  }
  return {};
}

}  // namespace

Status canonicalHost(std::string_view authority, std::string& out) {
  out.clear();
  if (!authority.empty() && authority[0] == '[') {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return Error{"a host without a closing bracket"};
    const std::string address(authority.substr(1, close - 1));
    in6_addr parsed{};
    if (inet_pton(AF_INET6, address.c_str(), &parsed) != 1) return Error{"a host that is not an IPv6 address"};
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &parsed, text, sizeof text);
    out = "[" + std::string(text) + "]";
    return checkPort(authority.substr(close + 1));
  }
  const auto colon = authority.find(':');
  std::string_view name = authority.substr(0, colon);
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  if (name.empty() || name.back() == '.' || name.size() > 253)
    return Error{"a host without a name, or one over 253 characters"};
  char before = '.';
  for (char c : name) {
    c = base::toLower(c);
    if (!isNameChar(c) || (c == '.' && before == '.'))
      return Error{"a host with a character that is not allowed in one"};
    out += before = c;
  }
  return colon == std::string_view::npos ? Status() : checkPort(authority.substr(colon));
}

uint16_t portOf(std::string_view authority, uint16_t otherwise) {
  const auto colon = authority.rfind(':');
  uint64_t port = otherwise;
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos)
    (void)base::parseUnsigned(authority.substr(colon + 1), port);
  return static_cast<uint16_t>(port);
}

Result<HostPattern> HostPattern::parse(std::string_view text) {
  HostPattern pattern;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos)
    return Error{"`" + std::string(text) + "` has a port: write the host without it"};
  pattern.wildcard_ = text.starts_with("*.");
  TRY(canonicalHost(pattern.wildcard_ ? text.substr(2) : text, pattern.name_));
  if (pattern.wildcard_) pattern.name_.insert(0, 1, '.');
  return pattern;
}

bool HostPattern::matches(std::string_view host) const {
  return wildcard_ ? host.size() > name_.size() && host.ends_with(name_) : host == name_;
}

}  // namespace yett::target
