// Settings of the exact memory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace yett::memory {

struct CacheConfig {
  size_t entries = 100'000;                ///< results that each worker and engine remembers; 0: none
  uint64_t bytes = 64 << 20;               ///< and the bytes they may take
  std::string database;                    ///< path; "": not kept across restarts
  std::string key_file;                    ///< path of the secret that authenticates the rows
  std::vector<uid_t> trusted_owners = {};  ///< accepted owners of the key file, besides root and our own user
  bool operator==(const CacheConfig&) const = default;
};

}  // namespace yett::memory
