// Settings of the exact memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace yett::memory {

struct CacheConfig {
  size_t entries = 100'000;                ///< results that each worker and engine remembers; 0: none
  uint64_t bytes = 64 << 20;               ///< and what they may take
  std::string database;                    ///< path; "": a restart forgets
  std::string key_file;                    ///< path of the secret that the rows are proved with
  std::vector<uid_t> trusted_owners = {};  ///< whose key file counts, beside root's and our own
  bool operator==(const CacheConfig&) const = default;
};

}  // namespace yett::memory
