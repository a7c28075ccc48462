// Header fields that only a proxy in front of a service may set: who the caller is, how it came, what it requested.
// Names by convention of gateways, load balancers, frameworks and RFC 9440; docs/http.md has the table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace yett::request {

struct HeaderFamily {
  std::string_view name;  ///< a name, or a prefix and `*`; "a*b*": a prefix `a`, then `b` anywhere after it
  bool keepable;          ///< `keep_headers` may name it; else it is never forwarded from any caller
};

/// A name as services see it that turn header names into variables (CGI and its successors): each byte that is not a
/// letter or digit becomes `-`. `out` holds the result if it differs.
std::string_view foldedName(std::string_view lower_name, std::string& out);

/// The family of a folded name, or null.
const HeaderFamily* familyOf(std::string_view folded);

/// Why `keep_headers` cannot contain this entry, a family or one name of a family; "" if it can.
std::string whyNotKept(std::string_view entry);

}  // namespace yett::request
