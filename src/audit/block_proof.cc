// Checks that a block holds what was hashed: its encoder is not trusted.
#include "audit/block_builder.h"
#include "audit/block_data.h"
#include "audit/record_keys.h"
#include "base/turns.h"

namespace yett::audit {

constexpr size_t kAtOnce = 128;  // records are compared before others get a turn

// Re-encodes the columns as they were hashed, and compares byte by byte. The canonical bytes consist of these, the
// number and the commitment, which in turn is made from the personal fields and the salt.
std::string BlockBuilder::differs(std::string_view body, std::string_view salts) const {
  BlockData data;
  if (auto read = data.take(std::string(body)); !read) return "it cannot be read: " + read.error().message;
  if (data.salts() != salts) return "its salts differ";
  if (data.records().size() != kept_.size()) return "its number of records differs";
  Fields decision;
  Fields outcome;
  Encoded again;
  for (size_t i = 0; i < kept_.size(); ++i) {
    if (i % kAtOnce == 0) base::Turns::next();
    const Kept& kept = kept_[i];
    const auto& record = data.records()[i];
    const auto why = [&kept](const std::string& what) { return "record " + std::to_string(kept.seq) + ": " + what; };
    if (record.kind != kept.kind || record.seq != kept.seq || record.mark != kept.mark ||
        record.erased != !kept.commitment.empty())
      return why("kind, number or mark differs");
    if (kept.kind != Kind::kDecision && kept.kind != Kind::kOutcome) continue;
    Fields& fields = kept.kind == Kind::kDecision ? decision : outcome;
    if (auto read = data.update(record, fields); !read) return why(read.error().message);
    const auto commitment = data.commitment(record);
    if (!commitment || commitment.value() != kept.commitment) return why("the commitment differs");
    int64_t decision_seq = 0;
    if (kept.kind == Kind::kOutcome) std::swap(decision_seq, fields.number[OutcomeKey::kDecisionSeq]);
    encodeRow(layout(kept.kind), fields, again);
    if (decision_seq != kept.decision_seq || again.fields != kept.fields || again.personal != kept.personal ||
        again.entries != kept.entries || again.personal_entries != kept.personal_entries)
      return why("the fields differ");
  }
  return {};
}

}  // namespace yett::audit
