// The host a request is for, in one form: lower case, no port, no trailing dot (RFC 9110 7.2, RFC 3986 3.2.2).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace yett::target {

/// Host of a Host field or an authority: registered name, IPv4 or [IPv6], each with an optional port. Userinfo, an
/// empty name, or a character outside the grammar is an error. Writes into `out`, reusing its memory.
Status canonicalHost(std::string_view authority, std::string& out);
/// The port of an authority that canonicalHost() accepts; `otherwise` if it has none.
uint16_t portOf(std::string_view authority, uint16_t otherwise);

/// A host as written in rules and routes: a name, or "*." and a name, which matches one or more labels before the name.
class HostPattern {
 public:
  static Result<HostPattern> parse(std::string_view text);
  /// REQUIRES: `host` is canonical.
  bool matches(std::string_view host) const;
  bool wildcard() const { return wildcard_; }
  /// The name. For a wildcard, the part after the '*': ".example.org".
  const std::string& name() const { return name_; }

 private:
  bool wildcard_ = false;
  std::string name_;  // with the leading '.' if wildcard
};

}  // namespace yett::target
