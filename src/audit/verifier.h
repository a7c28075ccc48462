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
  int64_t checkpoints = 0;
  int64_t signed_seq = 0;         ///< of the last checkpoint: all before it is what its key signed
  std::vector<std::string> keys;  ///< ids of the keys that signed, in the order in which they first did
  bool authenticated = false;     ///< every checkpoint is by the pinned key, and there is one
};

/// What a log is compared with, beside itself.
struct Expected {
  std::string public_key = {};       ///< 32 bytes; "": any key may have signed
  int64_t checkpoint_seq = 0;        ///< of a checkpoint that was saved elsewhere; 0: none
  std::string checkpoint_hash = {};  ///< its hash, hex
};

/// Walks the whole chain: each link's hash, its connection to the one before, its canonical form, each checkpoint's
/// signature, and that the plain tables say the same as the links; and what is expected of it. `progress` is called now
/// and then with the number of links so far.
Result<Verification> verify(const std::string& database, const Expected& expected,
                            const std::function<void(int64_t)>& progress);

}  // namespace yett::audit
