// That a block holds what was hashed: its encoder is not believed.
#include "audit/block_builder.h"
#include "audit/block_data.h"
#include "audit/record_keys.h"

namespace yett::audit {

// The columns are encoded again, as they were when they were hashed, and compared byte by byte: the canonical bytes are
// these, the number and the commitment; and that is made from the personal ones and the salt.
std::string BlockBuilder::differs(std::string_view body, std::string_view salts) const {
  BlockData data;
  if (auto read = data.take(std::string(body)); !read) return "it cannot be read: " + read.error().message;
  if (data.salts() != salts) return "it has other salts";
  if (data.records().size() != kept_.size()) return "it has another number of records";
  Fields fields;
  Encoded again;
  for (size_t i = 0; i < kept_.size(); ++i) {
    const Kept& kept = kept_[i];
    const auto& record = data.records()[i];
    const std::string which = "record " + std::to_string(kept.seq) + ": ";
    if (record.kind != kept.kind || record.seq != kept.seq || record.mark != kept.mark ||
        record.erased != !kept.commitment.empty())
      return which + "another kind, number or mark";
    if (kept.kind != Kind::kDecision && kept.kind != Kind::kOutcome) continue;
    if (auto read = data.fields(record, fields); !read) return which + read.error().message;
    const auto commitment = data.commitment(record);
    if (!commitment || commitment.value() != kept.commitment) return which + "another commitment";
    int64_t decision_seq = 0;
    if (kept.kind == Kind::kOutcome) std::swap(decision_seq, fields.number[OutcomeKey::kDecisionSeq]);
    encodeRow(layout(kept.kind), fields, again);
    if (decision_seq != kept.decision_seq || again.fields != kept.fields || again.personal != kept.personal ||
        again.entries != kept.entries || again.personal_entries != kept.personal_entries)
      return which + "other fields";
  }
  return {};
}

}  // namespace yett::audit
