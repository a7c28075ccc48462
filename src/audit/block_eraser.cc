#include "audit/block_eraser.h"

#include <algorithm>

#include "audit/block_builder.h"
#include "audit/chain_walk.h"
#include "audit/record_keys.h"

namespace yett::audit {
namespace {

// The fields of a decision or outcome, without the personal ones where they shall go.
void encodeWhatStays(const ChainWalk::Step& step, bool erase, Encoded& out, Linked& linked) {
  Fields fields = *step.fields;
  if (step.record->kind == Kind::kOutcome)
    linked.decision_seq = std::exchange(fields.number[OutcomeKey::kDecisionSeq], 0);
  encodeRow(layout(step.record->kind), fields, out);
  linked.fields = out.fields;
  linked.entries = out.entries;
  if (erase) return;
  linked.personal = out.personal;
  linked.personal_entries = out.personal_entries;
}

}  // namespace

Result<ErasedBlock> eraseIn(store::Database& db, BlockData& data, const std::string& prev,
                            const std::vector<int64_t>& seqs) {
  const size_t decisions = data.rows(Kind::kDecision);
  Salts salts = TRY(Salts::read(data.salts(), decisions));
  ChainWalk walk = TRY(ChainWalk::open(db, data, TRY(Salts::read(data.salts(), decisions)), prev));
  ErasedBlock out;
  BlockBuilder builder;
  std::vector<size_t> rows;
  Encoded encoded;
  for (;;) {
    auto step = walk.next();
    if (!step) return Error{"record " + std::to_string(walk.at()) + ": " + step.error().message};
    if (!step.value()) break;
    const auto& record = *step.value()->record;
    Linked linked{.kind = record.kind, .seq = record.seq, .mark = record.mark};
    std::string commitment;
    if (record.kind == Kind::kDecision || record.kind == Kind::kOutcome) {
      const bool erase =
          record.kind == Kind::kDecision && !record.erased && std::binary_search(seqs.begin(), seqs.end(), record.seq);
      if (erase || record.erased) {
        Fields made;
        decode(step.value()->bytes, made);
        commitment = made.text[LinkKey::kCommitment];
        linked.commitment = commitment;
      }
      encodeWhatStays(*step.value(), erase, encoded, linked);
      if (erase) {
        rows.push_back(record.row);
        out.gone.push_back(record.seq);
      }
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
    return Error{"a block that would not hold what was hashed is not written: " + why};
  return out;
}

}  // namespace yett::audit
