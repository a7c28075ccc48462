// The cookies of a request (RFC 6265 4.2).
#pragma once

#include <string_view>

#include "http/header_map.h"

namespace yett::request {

/// The value of the first cookie of this name; "" if there is none.
std::string_view cookieNamed(const http::HeaderMap& headers, std::string_view name);

}  // namespace yett::request
