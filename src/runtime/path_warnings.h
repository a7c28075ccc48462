// Finds rules and routes where policy and the service would read the path of one request differently.
#pragma once

#include <string>
#include <vector>

#include "runtime/generation.h"

namespace yett::runtime {

/// One warning per rule and route that disagree, according to the route's switches (`allow_encoded_slashes`,
/// `forward_parameters`) and its cluster's `path_profile`: "file:line: ...".
std::vector<std::string> pathWarnings(const Generation& generation);

}  // namespace yett::runtime
