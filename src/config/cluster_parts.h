// Parts of the section of a cluster.
#pragma once

#include <string>

#include "config/object_reader.h"
#include "upstream/cluster.h"

namespace yett::config {

void readEndpoints(ObjectReader& in, upstream::ClusterConfig& out);
/// `file`: the configuration's.
void readClusterTls(ObjectReader& in, const std::string& file, upstream::ClusterConfig& out);
void readHealthCheck(ObjectReader& in, upstream::ClusterConfig& out);

}  // namespace yett::config
