// A query string read as key=value pairs (application/x-www-form-urlencoded, WHATWG URL 5.1).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace yett::target {

/// All pairs in order, decoded ('+' is a blank). A bad escape is an error: two readers could disagree about it.
Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query);

}  // namespace yett::target
