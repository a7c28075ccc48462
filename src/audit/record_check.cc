#include "audit/record_check.h"

#include "audit/chain_writer.h"
#include "audit/erase.h"
#include "audit/policies.h"
#include "audit/record_keys.h"
#include "audit/retention.h"
#include "base/text.h"
#include "store/database.h"

namespace yett::audit {

Result<RecordCheck> RecordCheck::open(store::Database& db, int64_t first, int64_t last, const std::string& log_id,
                                      StretchResult& out) {
  RecordCheck check(TRY(TableWalk::open(db, layout(Kind::kEvent), false, first, last)),
                    TRY(TableWalk::open(db, callerLayout(), true, first, last)),
                    TRY(TableWalk::open(db, layout(Kind::kHeartbeat), false, first, last)),
                    TRY(db.prepare("SELECT document FROM policies WHERE digest = ?")),
                    TRY(db.prepare("SELECT seq FROM rare WHERE seq BETWEEN ? AND ? ORDER BY seq")), log_id, out);
  check.rare_.bind(1, first).bind(2, last);
  check.rare_row_ = TRY(check.rare_.step());
  return check;
}

Result<std::string> RecordCheck::checkRare(int64_t seq) {
  if (!rare_row_ || rare_.integer(0) != seq)
    return "a row in table `rare` that matches no record, " + std::to_string(rare_row_ ? rare_.integer(0) : 0);
  rare_row_ = TRY(rare_.step());
  return std::string();
}

Result<std::string> RecordCheck::check(const ChainWalk::Step& step) {
  const int64_t seq = step.record->seq;
  if (std::string wrong = TRY(checkRare(seq)); !wrong.empty()) return wrong;
  Fields fields = *step.fields;
  switch (step.record->kind) {
    case Kind::kLog:
      out_->writer = writerOf(fields);
      return std::string(fields.text[LogKey::kLogId] == *log_id_ ? "" : "it begins another log than table `meta` says");
    case Kind::kEvent: return checkEvent(seq, fields);
    case Kind::kCheckpoint: return checkCheckpoint(step);
    case Kind::kHeartbeat: {
      std::string wrong = heartbeats_.compare(seq, fields);
      if (wrong.empty()) TRY(heartbeats_.advance());
      return wrong;
    }
    case Kind::kDecision:
    case Kind::kOutcome: break;
  }
  return std::string();
}

Result<std::string> RecordCheck::checkEvent(int64_t seq, Fields& fields) {
  const auto what = fields.text[EventKey::kWhat];
  if (what == kErasedEvent || what == kRetentionEvent || what == kUnsignedEvent || what == kSigningEvent ||
      what == kKeyEvent)
    out_->events.push_back(
        {seq, std::string(what), std::string(fields.text[EventKey::kDetail]), fields.number[EventKey::kCount]});
  if (what == kPolicyEvent) {
    policy_.bind(1, fields.text[EventKey::kSubject]);
    const bool there = TRY(policy_.step());
    const bool same = there && base::sha256Hex(policy_.text(0)) == fields.text[EventKey::kDetail];
    policy_.reset();
    if (there && !same)
      return std::string("the source of policy ") + std::string(fields.text[EventKey::kSubject]) + " was changed";
    if (!there) out_->events.push_back({seq, std::string(what), std::string(fields.text[EventKey::kSubject]), 1});
  }
  std::string wrong = events_.compare(seq, fields);
  if (!wrong.empty()) return wrong;
  TRY(events_.advance());
  return fields.text[LinkKey::kCommitment].empty() ? std::string() : TRY(checkCaller(seq, fields));
}

// Checks what an event says about a caller against its commitment.
Result<std::string> RecordCheck::checkCaller(int64_t seq, Fields& fields) {
  std::string wrong = callers_.compare(seq, fields);
  if (!wrong.empty()) return wrong;
  encodePersonal(callers_.columns(), fields, personal_);
  if (!callers_.saltIsWhole()) return std::string("its salt has the wrong type or length");
  if (callers_.salt().empty()) {
    if (personal_.personal_entries > 0) return std::string("its personal fields have lost their salt");
    out_->erased.push_back(seq);
  } else {
    bytes_.clear();
    personalBytes(personal_.personal, personal_.personal_entries, bytes_);
    const auto hash = hasher_.update(callers_.salt()).update(bytes_).finish();
    if (fields.text[LinkKey::kCommitment] != base::view(hash))
      return std::string("its personal fields in table `event_callers` are not those that were recorded");
  }
  TRY(callers_.advance());
  return std::string();
}

std::string RecordCheck::checkCheckpoint(const ChainWalk::Step& step) {
  const Fields& f = *step.fields;
  if (!isSigned(f, *log_id_, step.record->seq, base::view(*step.before))) return "its signature is invalid";
  out_->checkpoints.push_back({step.record->seq, std::string(f.text[CheckpointKey::kPublicKey]),
                               std::string(f.text[CheckpointKey::kNextKey]), base::hex(base::view(*step.hash))});
  return {};
}

std::string RecordCheck::leftover() const {
  for (const TableWalk* table : {&events_, &callers_, &heartbeats_}) {
    if (table->leftover() != 0)
      return "record " + std::to_string(table->leftover()) + ": a row in table `" + table->table() +
             "` that matches no record";
  }
  if (rare_row_) return "record " + std::to_string(rare_.integer(0)) + ": a row in table `rare` that matches no record";
  return {};
}

}  // namespace yett::audit
