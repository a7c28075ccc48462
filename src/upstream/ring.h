// A hash ring: the same key goes to the same endpoint, and a change of the endpoints moves few keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace yett::upstream {

class Ring {
 public:
  /// Each endpoint has points on the ring by its name, as many as its weight demands: 160 for 1, and fewer for each
  /// unit of weight where the heaviest has more than 16. The same in every process.
  Ring(const std::vector<std::string>& names, const std::vector<uint32_t>& weights);
  /// The endpoint of a key, or the next on the ring that is usable. REQUIRES: there is an endpoint; if none is usable,
  /// the key's own.
  size_t at(uint64_t key, const std::function<bool(size_t endpoint)>& usable) const;

 private:
  std::vector<std::pair<uint64_t, uint32_t>> points_;  // hash and endpoint, in order
};

/// The hash of a key for at().
uint64_t ringKey(std::string_view text);

}  // namespace yett::upstream
