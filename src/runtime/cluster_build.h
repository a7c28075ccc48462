// The clusters of a generation.
#pragma once

#include <map>
#include <string>

#include "config/object_reader.h"
#include "runtime/generation.h"
#include "runtime/inputs.h"

namespace yett::runtime {

/// Sets the clusters of `out` by its configuration and bundles. What has not changed since `previous` stays the same
/// object, so that connections survive.
void buildClusters(Generation& out, const TlsInput& files, std::map<std::string, std::string> authorities,
                   const Previous& previous, config::Problems& problems);

}  // namespace yett::runtime
