// Settings of the exact memory.
#pragma once

#include <cstdint>
#include <string>

namespace yett::cache {

struct CacheConfig {
  size_t entries = 100'000;   ///< results that each worker and engine remembers; 0: none
  uint64_t bytes = 64 << 20;  ///< and what they may take
  std::string database;       ///< path; "": a restart forgets
  std::string key_file;       ///< path of the secret that the rows are proved with
  bool operator==(const CacheConfig&) const = default;
};

}  // namespace yett::cache
