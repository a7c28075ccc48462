// What the admin interface and the metrics show of clusters and their endpoints, over all loops. Any thread.
#pragma once

#include <string>

#include "runtime/generation.h"

namespace yett::app {

/// For /clusters.
std::string clustersJson(const runtime::Clusters& clusters);

/// Gauges in the format of /metrics.
std::string clusterGauges(const runtime::Clusters& clusters);

}  // namespace yett::app
