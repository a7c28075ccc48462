// Whether a request says that its body is JSON, so that no service has a reason to read it as anything else.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace yett::policy {

/// A content-type (RFC 9110 8.3.1) that is `application/json`, ends in `+json` (RFC 6839 3.1) or is one of `more` (in
/// lower case); with no charset but UTF-8, and that once.
bool isJsonType(std::string_view content_type, std::span<const std::string> more);

}  // namespace yett::policy
