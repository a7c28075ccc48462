#include "upstream/ring.h"

#include <algorithm>

#include "base/hash.h"

namespace yett::upstream {
namespace {

constexpr uint64_t kSeed = 0x5bd1e995'97f4a7c1;
constexpr uint32_t kPoints = 160;      // of an endpoint of weight 1, where weights are small
constexpr size_t kMostPoints = 2'560;  // of the heaviest
constexpr size_t kMostOfAll = 1 << 18;

}  // namespace

Ring::Ring(const std::vector<std::string>& names, const std::vector<uint32_t>& weights) {
  // A power of two: endpoints that come or go hardly ever change the points of the others.
  size_t heaviest = 0;
  size_t sum = 0;
  for (const uint32_t weight : weights) {
    heaviest = std::max<size_t>(heaviest, weight);
    sum += weight;
  }
  size_t divisor = 1;
  while (heaviest * kPoints / divisor > kMostPoints || sum * kPoints / divisor > kMostOfAll) divisor *= 2;
  for (uint32_t i = 0; i < names.size(); ++i) {
    const size_t count = std::max<size_t>(1, size_t{weights[i]} * kPoints / divisor);
    for (size_t n = 0; n < count; ++n)
      points_.emplace_back(base::hashBytes(names[i] + "#" + std::to_string(n), kSeed), i);
  }
  std::sort(points_.begin(), points_.end());
}

size_t Ring::at(uint64_t key, const std::function<bool(size_t)>& usable) const {
  const auto first = static_cast<size_t>(
      std::lower_bound(points_.begin(), points_.end(), std::pair<uint64_t, uint32_t>(key, 0)) - points_.begin());
  for (size_t i = 0; i < points_.size(); ++i) {
    const uint32_t endpoint = points_[(first + i) % points_.size()].second;
    if (usable(endpoint)) return endpoint;
  }
  return points_[first % points_.size()].second;
}

uint64_t ringKey(std::string_view text) {
  return base::hashBytes(text, ~kSeed);
}

}  // namespace yett::upstream
