#include "audit/block_eraser.h"

#include <algorithm>

#include "audit/block_builder.h"
#include "audit/chain_walk.h"

namespace yett::audit {
Result<ErasedBlock> eraseIn(store::Database& db, BlockData& data, const std::string& prev,
                            const std::vector<int64_t>& seqs) {
  const size_t decisions = data.rows(Kind::kDecision);
  Salts salts = TRY(Salts::read(data.salts(), decisions));
  ChainWalk walk = TRY(ChainWalk::open(db, data, TRY(Salts::read(data.salts(), decisions)), prev));
  ErasedBlock out;
  BlockBuilder builder;
  std::vector<size_t> rows;
  for (;;) {
    auto step = walk.next();
    if (!step) return Error{"record " + std::to_string(walk.at()) + ": " + step.error().message};
    if (!step.value()) break;
    Linked linked = step.value()->linked;
    if (linked.kind == Kind::kDecision && linked.commitment.empty() &&
        std::binary_search(seqs.begin(), seqs.end(), linked.seq)) {
      linked.commitment = step.value()->commitment;
      linked.personal = {};
      linked.personal_entries = 0;
      rows.push_back(step.value()->record->row);
      out.gone.push_back(linked.seq);
    }
    builder.add(linked);
  }
  if (out.gone.empty()) return out;
  TRY(salts.remove(rows, decisions));
  std::string left;
  salts.write(left);
  out.body = builder.body(left);
  out.filter = builder.filter();
  if (const std::string why = builder.differs(out.body, left); !why.empty())
    return Error{"a block that differs from what was hashed is not written: " + why};
  return out;
}

}  // namespace yett::audit
