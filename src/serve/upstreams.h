// The only way from a loop to the services behind Yett.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "authz/permit.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "upstream/pools.h"

namespace yett::serve {

/// The pools of one loop. Access needs a Permit, which only the authorization stage makes; the user of a pool keeps its
/// Permit for as long as it uses the pool. Belongs to the loop's thread.
class Upstreams {
 public:
  using Told = upstream::Told;
  /// `descriptors`: entered for each connection to a service. `told`: as in upstream::Pool.
  Upstreams(net::EventLoop& loop, net::Gate& descriptors, Told told);
  /// Takes the clusters of a new generation.
  void update(const std::map<std::string, std::shared_ptr<const upstream::Cluster>>& clusters) {
    pools_.update(clusters);
  }
  /// Null if the cluster does not exist (any more) or the Permit is not good().
  upstream::Pool* pool(const authz::Permit& permit, const std::string& cluster);

 private:
  upstream::Pools pools_;
};

}  // namespace yett::serve
