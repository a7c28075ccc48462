// Rules that this configuration keeps from ever applying.
#pragma once

#include <string>
#include <vector>

#include "runtime/generation.h"

namespace yett::runtime {

/// "file:line: rule `x` ...": a trust domain without a bundle, a header that Yett removes from every request, a body
/// that no route lets policy see.
std::vector<std::string> policyWarnings(const Generation& generation);

}  // namespace yett::runtime
