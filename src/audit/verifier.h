// Proves an audit database, or names the first thing in it that is wrong.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace yett::audit {

struct Verification {
  int64_t links = 0;
  int64_t first_seq = 0;
  int64_t last_seq = 0;
  int64_t gaps = 0;    ///< jumps in the sequence where the chain itself is whole: records that a crash lost
  std::string head;    ///< hash of the last link, hex
  std::string broken;  ///< "" or what is wrong, and where
};

/// Walks the whole chain: each link's hash, its connection to the one before, its canonical form, and that the plain
/// tables say the same as the links. `progress` is called now and then with the number of links so far.
Result<Verification> verify(const std::string& database, const std::function<void(int64_t)>& progress);

}  // namespace yett::audit
