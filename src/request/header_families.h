// Header fields that only somebody in front of a service may say: who the caller is, how it came, what it asked for.
// Names by convention of gateways, load balancers, frameworks and RFC 9440; docs/http.md has the table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace yett::request {

struct HeaderFamily {
  std::string_view name;  ///< a name, or a beginning and a `*`; in one more `*` stands for anything between
  bool keepable;          ///< `keep_headers` may name it; else no caller's word is ever passed on
};

/// A name as services see it that make variables of names (CGI and its heirs): each byte that is no letter or digit is
/// a `-`. `out` holds it where it differs.
std::string_view foldedName(std::string_view lower_name, std::string& out);

/// The family of a folded name, or null.
const HeaderFamily* familyOf(std::string_view folded);

/// Why `keep_headers` cannot have this entry, a family or one name of a family; "" where it can.
std::string whyNotKept(std::string_view entry);

}  // namespace yett::request
