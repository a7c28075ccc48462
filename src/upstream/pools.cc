#include "upstream/pools.h"

namespace yett::upstream {

void Pools::update(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters) {
  for (auto it = pools_.begin(); it != pools_.end();) {
    const auto now = clusters.find(it->first);
    if (now != clusters.end()) {
      if (now->second.get() != &it->second->cluster()) it->second->replace(now->second);
      ++it;
      continue;
    }
    it->second->retire();
    retired_.push_back(std::move(it->second));
    it = pools_.erase(it);
  }
  for (const auto& [name, cluster] : clusters) {
    if (!pools_.contains(name))
      pools_.emplace(name, std::make_unique<Pool>(loop_, cluster, limits_, descriptors_, told_));
  }
  // A connection's callbacks refer to its pool, so a pool is destroyed only after its last connection.
  std::erase_if(retired_, [](const auto& pool) { return pool->empty(); });
}

Pool* Pools::find(const std::string& cluster) {
  const auto it = pools_.find(cluster);
  return it == pools_.end() ? nullptr : it->second.get();
}

}  // namespace yett::upstream
