// Removes the personal fields of some decisions from a block. Commitments replace them, so the chain stays the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "audit/block_data.h"
#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

struct ErasedBlock {
  std::vector<int64_t> gone;  ///< the decisions that were erased: those in the block that were not erased before
  std::string body, filter;
};

/// `prev` is the hash before the block. `seqs`: ascending.
Result<ErasedBlock> eraseIn(store::Database& db, BlockData& data, const std::string& prev,
                            const std::vector<int64_t>& seqs);

}  // namespace yett::audit
