// Whether a request declares its body as JSON, so that no service has a reason to read it as anything else.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace yett::policy {

/// A content-type (RFC 9110 8.3.1) that is `application/json`, ends in `+json` (RFC 6839 3.1) or is one of `more` (in
/// lower case); with at most one charset, which must be UTF-8.
bool isJsonType(std::string_view content_type, std::span<const std::string> more);

}  // namespace yett::policy
