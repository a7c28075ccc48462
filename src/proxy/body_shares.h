// The memory for bodies that wait for a decision, shared so that one caller can never take it all: a caller may hold as
// much as is still free, one connection half of that. So the first caller gets at most half, the next at most half of
// the rest, and so on: only many callers together can use it up. One loop.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace yett::proxy {

class BodyShares {
 public:
  explicit BodyShares(size_t bytes) : bytes_(bytes) {}

  /// Reserves memory for one more piece. False if that exceeds the share of `owner` (a caller's name) or of the
  /// connection, whose count is `connection`.
  bool take(const std::string& owner, size_t* connection, size_t bytes) {
    const size_t free = bytes_ - used_;
    const auto it = owners_.find(owner);
    const size_t mine = it == owners_.end() ? 0 : it->second;
    if (bytes > free || mine + bytes > free - bytes || *connection + bytes > (free - bytes) / 2) return false;
    used_ += bytes;
    *connection += bytes;
    if (it != owners_.end()) it->second += bytes;
    else owners_.emplace(owner, bytes);
    return true;
  }
  /// Gives back what was taken.
  void give(const std::string& owner, size_t* connection, size_t bytes) {
    used_ -= bytes;
    *connection -= bytes;
    const auto it = owners_.find(owner);
    if (it != owners_.end() && (it->second -= bytes) == 0) owners_.erase(it);
  }
  size_t used() const { return used_; }

 private:
  const size_t bytes_;
  size_t used_ = 0;
  std::map<std::string, size_t> owners_;
};

}  // namespace yett::proxy
