#include "identity/principal_id.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "identity/spiffe_id.h"

namespace yett::identity {
namespace {

constexpr size_t kMostDns = 253;
constexpr size_t kMostCommonName = 64;  // X.520 ub-common-name

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isLower(char c) {
  return c >= 'a' && c <= 'z';
}

bool isDnsName(std::string_view name) {
  if (name.empty() || name.size() > kMostDns) return false;
  for (const auto label : base::split(name, '.')) {
    const bool sound = !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
                       std::all_of(label.begin(), label.end(),
                                   [](char c) { return isLower(c) || isDigit(c) || c == '-' || c == '_'; });
    if (!sound) return false;
  }
  return true;
}

bool isCommonName(std::string_view name) {
  if (name.empty() || name.size() > kMostCommonName || name.front() == ' ' || name.back() == ' ') return false;
  if (name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return isLower(base::toLower(c)) || isDigit(c) || std::string_view(" .-_@:").find(c) != std::string_view::npos;
  });
}

}  // namespace

bool isNamed(std::string_view text) {
  return text.starts_with(kByDns) || text.starts_with(kByCommonName);
}

bool isNamingAuthority(std::string_view text) {
  return isNamed(text) && isTrustDomain(text.substr(text.find(':') + 1));
}

Status checkName(std::string_view authority, std::string_view name) {
  if (authority.starts_with(kByDns) ? isDnsName(name) : isCommonName(name)) return {};
  const std::string shown = "`" + base::printable(name.substr(0, 128)) + "`";
  if (authority.starts_with(kByDns))
    return Error{shown + " is not a plain DNS name in lower case, without a wildcard: labels of a-z, 0-9, `-`, `_`"};
  return Error{shown + " is not a common name of letters, digits, inner spaces and `.-_@:`, 64 bytes at most"};
}

Result<Principal> principalWithId(std::string_view id) {
  Principal out;
  out.id = id;
  if (!isNamed(id)) {
    const auto parsed = TRY(SpiffeId::parse(id));
    out.kind = Principal::Kind::kX509Svid;
    out.trust_domain = parsed.trustDomain();
    out.path = parsed.path();
    return out;
  }
  const size_t slash = std::min(id.find('/'), id.size());
  out.kind = Principal::Kind::kNamed;
  out.trust_domain = id.substr(0, slash);
  out.path = id.substr(slash);
  if (!isNamingAuthority(out.trust_domain) || out.path.empty())
    return Error{"`" + base::printable(id.substr(0, 128)) + "` is not `dns:NAME/host.name` or `cn:NAME/common name`"};
  TRY(checkName(out.trust_domain, id.substr(slash + 1)));
  return out;
}

}  // namespace yett::identity
