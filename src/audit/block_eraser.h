// A block without the personal fields of some of its decisions: the same chain, with their commitments in their place.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/block_data.h"
#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

struct ErasedBlock {
  std::vector<int64_t> gone;  ///< the decisions that it was done to: those that are there, and were not erased before
  std::string body, filter;
};

/// `prev` is the hash before the block. `seqs`: ascending.
Result<ErasedBlock> eraseIn(store::Database& db, BlockData& data, const std::string& prev,
                            const std::vector<int64_t>& seqs);

}  // namespace yett::audit
