// The pools of one loop, by cluster.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/limits.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "upstream/notice.h"
#include "upstream/pool.h"

namespace yett::upstream {

/// A pool lives as long as its cluster; a reload may change the cluster's settings and endpoints.
class Pools {
 public:
  Pools(net::EventLoop& loop, const http::Limits& limits, net::Gate& descriptors, Told told)
      : loop_(loop), limits_(limits), descriptors_(descriptors), told_(std::move(told)) {}
  /// Takes the clusters of a new generation.
  void update(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters);
  Pool* find(const std::string& cluster);

 private:
  net::EventLoop& loop_;
  const http::Limits limits_;
  net::Gate& descriptors_;
  const Told told_;
  std::map<std::string, std::unique_ptr<Pool>> pools_;
  std::vector<std::unique_ptr<Pool>> retired_;
};

}  // namespace yett::upstream
