#include "audit/chain_tail.h"

#include <cstring>

#include "audit/block_source.h"
#include "audit/chain_walk.h"
#include "audit/record_keys.h"
#include "base/random.h"
#include "base/turns.h"

namespace yett::audit {
namespace {

constexpr uint64_t kSampled = 64;  // if blocks are sampled, one of this many is verified

Result<std::unique_ptr<store::Statement>> prepared(store::Database& db, const char* sql) {
  return std::make_unique<store::Statement>(TRY(db.prepare(sql)));
}

}  // namespace

Status ChainTail::resume(store::Database& db) {
  builder_.clear();
  salts_.reset();
  piece_ = TRY(prepared(db, "INSERT INTO tail (last, hash, bytes) VALUES (?,?,?)"));
  block_ = TRY(prepared(db,
                        "INSERT INTO blocks (last, first, decisions, time_min, time_max, late, prev, hash, filter, "
                        "body) VALUES (?,?,?,?,?,?,?,?,?,?)"));
  rare_ = TRY(prepared(db, "INSERT INTO rare (seq, kind, bytes) VALUES (?,?,?)"));
  event_ = TRY(prepared(db, "INSERT INTO events (seq, time, what, subject, detail, count) VALUES (?,?,?,?,?,?)"));
  caller_ = TRY(prepared(db, "INSERT INTO event_callers (seq, caller, about, salt) VALUES (?,?,?,?)"));
  heartbeat_ =
      TRY(prepared(db, "INSERT INTO heartbeats (seq, decision_seq, time, bytes_in, bytes_out) VALUES (?,?,?,?,?)"));
  db_ = &db;
  const auto [last, hash] = TRY(BlockSource(db).end());
  if (last < 0 || last > kMaxSeq) return Error{"its last record has a number out of range"};
  last_ = last;
  head_ = {};
  if (last == 0) return {};
  std::memcpy(head_.data(), hash.data(), head_.size());
  return readOpen(db);
}

void ChainTail::release() {
  for (auto* statement : {&piece_, &block_, &rare_, &event_, &caller_, &heartbeat_}) statement->reset();
  db_ = nullptr;
}

// Restores the open block from its pieces. It must be what was hashed, since it will become a block.
Status ChainTail::readOpen(store::Database& db) {
  BlockSource source(db);
  auto open = TRY(source.tail());
  if (!open) return {};
  const std::string before = TRY(source.before(0));
  ChainWalk walk = TRY(ChainWalk::open(db, open->data, Salts(open->seed), before));
  std::memcpy(before_.data(), before.data(), before_.size());
  for (;;) {
    auto step = walk.next();
    if (!step) return Error{"record " + std::to_string(walk.at()) + " of the open block: " + step.error().message};
    if (!step.value()) break;
    builder_.add(step.value()->linked);
  }
  if (base::view(walk.head()) != open->hash) return Error{"the open block does not match its hash"};
  seed_ = open->seed;
  salts_ = std::make_unique<Salts>(seed_);
  (void)builder_.piece();  // it is stored already
  return {};
}

// Begins a new block with its own salts.
Status ChainTail::begin() {
  seed_ = TRY(base::randomBytes(kSaltSize));
  salts_ = std::make_unique<Salts>(seed_);
  before_ = head_;
  return {};
}

Status ChainTail::add(int64_t seq, const Entry& entry) {
  if (builder_.full()) TRY(close());
  if (builder_.empty()) TRY(begin());
  std::string event_salt;
  std::string_view salt;
  base::Sha256 commitment;
  if (entry.kind == Kind::kDecision) {
    salt = TRY(salts_->at(builder_.decisions()));
  } else if (entry.personal_entries > 0) {
    event_salt = TRY(base::randomBytes(kSaltSize));
    salt = event_salt;
  }
  if (!salt.empty()) {
    personal_.clear();
    personalBytes(entry.personal, entry.personal_entries, personal_);
    commitment = hasher_.update(salt).update(personal_).finish();
  }
  bytes_.clear();
  canonicalBytes(entry.kind, seq, entry.decision_seq, entry.fields, entry.entries,
                 salt.empty() ? std::string_view() : base::view(commitment), bytes_);
  if (entry.kind != Kind::kDecision && entry.kind != Kind::kOutcome) TRY(addRare(seq, entry, bytes_, event_salt));
  head_ = hasher_.update(base::view(head_)).update(bytes_).finish();
  last_ = seq;
  builder_.add({.kind = entry.kind,
                .seq = seq,
                .mark = static_cast<char>(head_[0]),
                .decision_seq = entry.kind == Kind::kOutcome ? entry.decision_seq : 0,
                .fields = entry.fields,
                .entries = entry.entries,
                .personal = entry.personal,
                .personal_entries = entry.personal_entries});
  return {};
}

// Stores its bytes, and a separate row for readers.
Status ChainTail::addRare(int64_t seq, const Entry& entry, std::string_view bytes, std::string_view salt) {
  TRY(rare_->bind(1, seq).bind(2, static_cast<int64_t>(entry.kind)).bindBlob(3, bytes).run());
  if (entry.kind != Kind::kEvent && entry.kind != Kind::kHeartbeat) return {};
  Fields f;
  decode(bytes, f);
  decodeFields(entry.personal, entry.personal_entries, f);
  if (entry.kind == Kind::kHeartbeat)
    return heartbeat_->bind(1, seq)
        .bind(2, f.number[HeartbeatKey::kDecisionSeq])
        .bind(3, f.number[HeartbeatKey::kTime])
        .bind(4, f.number[HeartbeatKey::kBytesIn])
        .bind(5, f.number[HeartbeatKey::kBytesOut])
        .run();
  TRY(event_->bind(1, seq)
          .bind(2, f.number[EventKey::kTime])
          .bind(3, f.text[EventKey::kWhat])
          .bind(4, f.text[EventKey::kSubject])
          .bind(5, f.text[EventKey::kDetail])
          .bind(6, f.number[EventKey::kCount])
          .run());
  if (salt.empty()) return {};
  return caller_->bind(1, seq)
      .bind(2, f.text[EventKey::kCaller])
      .bind(3, f.text[EventKey::kAbout])
      .bindBlob(4, salt)
      .run();
}

Status ChainTail::put() {
  if (builder_.empty() || !builder_.hasNew()) return {};
  const std::string piece = builder_.piece();
  base::Turns::next();
  std::string hash(base::view(head_));
  hash += seed_;
  return piece_->bind(1, last_).bindBlob(2, hash).bindBlob(3, piece).run();
}

Status ChainTail::close() {
  if (builder_.empty()) return {};
  std::string salts;
  salts_->write(salts);
  const std::string body = encode_(builder_, salts);
  if (verify_ == VerifyBlocks::kAll || closed_ % kSampled == 0) {
    const std::string why = builder_.differs(body, salts);
    if (!why.empty()) return Error{"a block that differs from what was hashed is not written: " + why};
  }
  const std::string filter = builder_.filter();
  base::Turns::next();
  TRY(block_->bind(1, builder_.lastSeq())
          .bind(2, builder_.firstSeq())
          .bind(3, static_cast<int64_t>(builder_.decisions()))
          .bind(4, builder_.timeMin())
          .bind(5, builder_.timeMax())
          .bind(6, builder_.late())
          .bindBlob(7, base::view(before_))
          .bindBlob(8, base::view(head_))
          .bindBlob(9, filter)
          .bindBlob(10, body)
          .run());
  base::Turns::next();
  TRY(db_->execute("DELETE FROM tail"));
  ++closed_;
  builder_.clear();
  base::Turns::next();
  return {};
}

}  // namespace yett::audit
