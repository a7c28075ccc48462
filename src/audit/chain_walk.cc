#include "audit/chain_walk.h"

#include <cstring>

#include "audit/record_keys.h"
#include "base/check.h"

namespace yett::audit {

Result<ChainWalk> ChainWalk::open(store::Database& db, BlockData& data, Salts salts, std::string_view prev) {
  ChainWalk out(data, std::move(salts), TRY(db.prepare("SELECT kind, bytes FROM rare WHERE seq = ?")));
  if (prev.size() != out.head_.size()) return Error{"the hash before it is damaged"};
  std::memcpy(out.head_.data(), prev.data(), prev.size());
  return out;
}

// The salted hash of a decision's personal fields, which encoded_ has; if they were erased, the stored commitment.
Result<std::string_view> ChainWalk::commitmentOf(const BlockData::Record& record, Step& step) {
  const std::string_view salt = TRY(salts_.at(record.row));
  if (record.erased) {
    if (encoded_.personal_entries > 0 || !salt.empty())
      return Error{"it says that its personal fields were erased, but has some, or their salt"};
    return data_->commitment(record);
  }
  if (salt.empty()) return Error{"its personal fields have lost their salt"};
  personal_.clear();
  personalBytes(encoded_.personal, encoded_.personal_entries, personal_);
  commitment_ = hasher_.update(salt).update(personal_).finish();
  step.salt = salt;
  step.personal = personal_;
  return base::view(commitment_);
}

// The bytes of a decision or outcome from the columns, of other records as they were written.
Result<std::string_view> ChainWalk::bytesOf(const BlockData::Record& record, Step& step) {
  if (record.kind != Kind::kDecision && record.kind != Kind::kOutcome) {
    if (!TRY(rare_.bind(1, record.seq).step())) return Error{"its row is missing from table `rare`"};
    const int64_t kind = rare_.integer(0);
    const bool typed =
        rare_.type(0) == store::Statement::Type::kInteger && rare_.type(1) == store::Statement::Type::kBlob;
    bytes_ = rare_.text(1);
    rare_.reset();  // else it would keep its snapshot open
    if (!typed) return Error{"its row in table `rare` has a column of the wrong type"};
    if (!decode(bytes_, fields_) || fields_.number[LinkKey::kKind] != kind ||
        fields_.number[LinkKey::kKind] != static_cast<int64_t>(record.kind) ||
        fields_.number[LinkKey::kSeq] != record.seq)
      return Error{"its content is not a canonical record"};
    return std::string_view(bytes_);
  }
  TRY(data_->fields(record, fields_));
  Linked& linked = step.linked;
  if (record.kind == Kind::kOutcome) linked.decision_seq = std::exchange(fields_.number[OutcomeKey::kDecisionSeq], 0);
  encodeRow(layout(record.kind), fields_, encoded_);
  if (record.kind == Kind::kOutcome) fields_.number[OutcomeKey::kDecisionSeq] = linked.decision_seq;
  if (record.kind == Kind::kDecision) step.commitment = TRY(commitmentOf(record, step));
  linked.fields = encoded_.fields;
  linked.entries = encoded_.entries;
  linked.personal = encoded_.personal;
  linked.personal_entries = encoded_.personal_entries;
  if (record.erased) linked.commitment = step.commitment;
  bytes_.clear();
  canonicalBytes(record.kind, record.seq, linked.decision_seq, encoded_.fields, encoded_.entries, step.commitment,
                 bytes_);
  return std::string_view(bytes_);
}

Result<std::optional<ChainWalk::Step>> ChainWalk::next() {
  if (place_ == data_->records().size()) return std::optional<Step>();
  const auto& record = data_->records()[place_++];
  at_ = record.seq;
  Step step{.record = &record,
            .bytes = {},
            .commitment = {},
            .salt = {},
            .personal = {},
            .linked = {.kind = record.kind, .seq = record.seq, .mark = record.mark},
            .fields = &fields_,
            .before = &before_,
            .hash = &head_};
  step.bytes = TRY(bytesOf(record, step));
  before_ = head_;
  head_ = hasher_.update(base::view(before_)).update(step.bytes).finish();
  if (static_cast<char>(head_[0]) != record.mark) return Error{"its content was changed"};
  return std::optional(step);
}

}  // namespace yett::audit
