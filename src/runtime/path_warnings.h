// Where a path rule and the service behind a route would read one request as two paths.
#pragma once

#include <string>
#include <vector>

#include "runtime/generation.h"

namespace yett::runtime {

/// One warning for each rule and route that disagree, by the route's switches (`allow_encoded_slashes`,
/// `forward_parameters`) and its cluster's `path_profile`: "file:line: ...".
std::vector<std::string> pathWarnings(const Generation& generation);

}  // namespace yett::runtime
