// Which headers policy, or a verified token, may set in a request to the service.
#pragma once

#include <string_view>

namespace yett::policy {

/// Whether `name` is a header name in lower case.
bool isHeaderName(std::string_view name);

/// False for names reserved for framing, the hop or Yett itself.
bool maySetHeader(std::string_view name);

/// What a header may contain (RFC 9110 5.5), without blanks around it.
bool isFieldValue(std::string_view value);

/// Bytes of a value that policy or a token sets.
inline constexpr size_t kLongestHeader = 4096;

}  // namespace yett::policy
