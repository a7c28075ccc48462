// Finds the outcomes of decisions: mostly in the same block or the next, but a long stream ends many blocks later.
// One thread.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "audit/block_source.h"

namespace yett::audit {

class OutcomeFinder {
 public:
  /// `heads`: the blocks that will be searched, and all later ones. Both must outlive it.
  OutcomeFinder(BlockSource& source, const std::vector<BlockHead>& heads) : source_(&source), heads_(&heads) {}

  /// Selects the block whose decisions are searched next, and indexes its outcomes. Valid until the next call.
  Status enter(BlockData& data, int64_t last);
  /// The decisions that are searched next are in an earlier file.
  void enterBefore();
  /// Sets the open block, which comes last; it may have outcomes of earlier decisions. Null: there is none.
  void setOpen(BlockData* open) { open_ = open; }
  /// The outcome's fields by key; false if there is none. Views, valid until the next call.
  Result<bool> find(int64_t decision_seq, Fields& out);
  /// Where the outcome is; `data` is null if there is none. Valid until the next call.
  struct Found {
    BlockData* data = nullptr;
    uint32_t row = 0;
  };
  Result<Found> locate(int64_t decision_seq);

 private:
  struct Late {  // outcomes of decisions in earlier blocks
    std::unordered_map<int64_t, uint32_t> rows;
  };
  Result<BlockData*> block(int64_t last);
  Result<const Late*> late(const BlockHead& head);
  Result<Found> locateLater(int64_t decision_seq);

  BlockSource* source_;
  const std::vector<BlockHead>* heads_;
  BlockData* open_ = nullptr;
  BlockData* here_ = nullptr;
  int64_t here_last_ = 0;
  std::unordered_map<int64_t, uint32_t> mine_;  // rows of outcomes in here_, by decision
  std::map<int64_t, Late> late_;                // by the end of the block
  std::list<std::pair<int64_t, BlockData>> kept_;
};

}  // namespace yett::audit
