#include "audit/chain_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "audit/audit_schema.h"
#include "audit/policies.h"
#include "audit/record_keys.h"
#include "base/clock.h"
#include "base/file_trust.h"
#include "base/random.h"
#include "base/text.h"

namespace yett::audit {
namespace {

constexpr int64_t kLease = 100'000;        // sequence numbers taken durably at once
constexpr int64_t kBlockDecisions = 2048;  // decisions that share a filter, at the least
constexpr size_t kSalts = 256;             // so many are made at once
constexpr size_t kCallers = 6;             // place of what events say of callers among the inserts, behind the kinds
constexpr size_t kRowsAtOnce = 512;        // links that are gathered before they go into their tables

Result<std::unique_ptr<store::BulkInsert>> insertInto(store::Database& db, Kind kind) {
  const Layout& l = layout(kind);
  std::vector<std::string> columns{"seq"};
  for (size_t i = 0; i < l.count; ++i) columns.emplace_back(l.columns[i].name);
  if (kind == Kind::kDecision) columns.emplace_back("salt");
  return store::BulkInsert::create(db, l.table, columns);
}

Result<std::shared_ptr<const SigningKey>> readKey(const std::string& file, const std::vector<uid_t>& owners) {
  auto key = SigningKey::fromPem(TRY(base::readSecretFile(file, owners)));
  if (!key) return Error{file + " " + key.error().message};
  return std::move(key).value();
}

}  // namespace

Result<std::unique_ptr<ChainWriter>> ChainWriter::open(const AuditConfig& config) {
  std::unique_ptr<ChainWriter> out(new ChainWriter(config));
  if (!config.key_file.empty()) out->key_ = TRY(readKey(config.key_file, config.trusted_owners));
  TRY(out->prepare());
  TRY(out->takeOver());
  return out;
}

Status ChainWriter::ready() {
  return database_ ? Status() : prepare();
}

// The object is whole afterwards, or says that it is not open.
Status ChainWriter::prepare() {
  auto opened = openFile();
  if (opened) return {};
  inserts_.clear();
  lease_.reset();
  block_.reset();
  database_.reset();
  return opened;
}

Status ChainWriter::openFile() {
  signed_at_ = base::steadyNanos();
  inserts_.clear();
  lease_.reset();
  block_.reset();
  database_.reset();
  database_ =
      std::make_unique<store::Database>(TRY(store::Database::open(config_.database, store::Database::Mode::kWrite)));
  TRY(database_->migrate({"", kAuditSchema1, kAuditSchema2}));
  inserts_.push_back(TRY(store::BulkInsert::create(*database_, "links", {"seq", "kind", "prev", "bytes", "hash"})));
  for (const Kind kind : {Kind::kDecision, Kind::kOutcome, Kind::kEvent})
    inserts_.push_back(TRY(insertInto(*database_, kind)));
  inserts_.emplace_back();  // a checkpoint has no table
  inserts_.push_back(TRY(insertInto(*database_, Kind::kHeartbeat)));
  inserts_.push_back(
      TRY(store::BulkInsert::create(*database_, callerLayout().table, {"seq", "caller", "about", "salt"})));
  lease_ =
      std::make_unique<store::Statement>(TRY(database_->prepare("INSERT OR REPLACE INTO meta VALUES ('lease', ?)")));
  block_ = std::make_unique<store::Statement>(
      TRY(database_->prepare("INSERT INTO blocks (last, first, time_min, time_max, filter) VALUES (?,?,?,?,?)")));
  if (TRY(readEnd(*database_))) {
    TRY(noteGap());
    return refillBlock();
  }
  const auto closed = closedFiles(config_.database);
  if (closed.empty()) {
    log_id_ = TRY(base::randomBytes(16));
  } else {
    auto db = TRY(store::Database::open(closed.back(), store::Database::Mode::kRead));
    if (!TRY(readEnd(db)))
      return Error{closed.back() + ": is no audit log, though its name says that this log goes on from it"};
  }
  state_.leased = seq_;
  state_.block_count = 0;
  filter_.clear();
  return addFirstLink();
}

// Where the chain of a file ends; false where there is none.
Result<bool> ChainWriter::readEnd(store::Database& db) {
  store::Statement last = TRY(db.prepare("SELECT seq, hash FROM links ORDER BY seq DESC LIMIT 1"));
  if (!TRY(last.step())) return false;
  if (last.text(1).size() != state_.head.size())
    return Error{config_.database + ": its last link is damaged: run `yett log verify`"};
  written_ = seq_ = last.integer(0);
  std::memcpy(state_.head.data(), last.text(1).data(), state_.head.size());
  last.reset();
  store::Statement meta = TRY(db.prepare("SELECT value FROM meta WHERE name = ?"));
  // After a crash the numbers that were leased and not written stay unused: what was lost is a gap that anyone can see.
  if (TRY(meta.bind(1, std::string_view("lease")).step())) seq_ = std::max(seq_, meta.integer(0));
  meta.reset();
  state_.leased = seq_;
  if (!TRY(meta.bind(1, std::string_view("log_id")).step()) || meta.text(0).size() != 16)
    return Error{config_.database + ": its log id is missing: run `yett log verify`"};
  log_id_ = meta.text(0);
  return true;
}

Status ChainWriter::noteGap() {
  if (written_ == seq_) return {};
  const std::string detail =
      "after " + std::to_string(written_) + ": numbers up to " + std::to_string(seq_) + " were leased and not written";
  TRY(begin(1));
  auto added = add(EventRecord{base::wallMicros(), "gap", config_.database, detail, seq_ - written_});
  if (added) added = commit();
  if (!added) rollback();
  return added;
}

// Of a new log, or of a file that goes on from another.
Status ChainWriter::addFirstLink() {
  TRY(begin(2 + static_cast<int64_t>(carried_.size())));
  const auto write = [&]() -> Status {
    store::Statement meta = TRY(database_->prepare("INSERT OR REPLACE INTO meta VALUES ('log_id', ?)"));
    TRY(meta.bindBlob(1, log_id_).run());
    Encoded encoded;
    encode(EventRecord{base::wallMicros(), "", "", log_id_, 0}, encoded);
    TRY(add({Kind::kLog, 0, encoded.fields, encoded.entries}));
    for (const auto& [digest, document] : carried_) TRY(putPolicy(*this, digest, document));
    return commit();
  };
  auto done = write();
  if (!done) rollback();
  return done;
}

// The sources that the next file's first decisions need: of the last ones of this file, and the newest.
Status ChainWriter::carryPolicies() {
  carried_.clear();
  store::Statement rows =
      TRY(database_->prepare("SELECT digest, document FROM policies WHERE digest IN (SELECT policy_digest FROM "
                             "decisions ORDER BY seq DESC LIMIT "
                             "64) OR digest IN (SELECT digest FROM policies ORDER BY last_seq DESC LIMIT 2)"));
  while (TRY(rows.step())) carried_.emplace_back(rows.text(0), rows.text(1));
  return {};
}

// The decisions since the last block, read back into the open one.
Status ChainWriter::refillBlock() {
  filter_.clear();
  state_.block_count = 0;
  bool forgotten = false;
  store::Statement rows = TRY(
      database_->prepare("SELECT seq, time, effect, principal, method, path, policy, rule, length(salt) FROM decisions"
                         " WHERE seq > (SELECT coalesce(max(last), 0) FROM blocks) ORDER BY seq"));
  while (TRY(rows.step())) {
    if (state_.block_count++ == 0) {
      state_.block_first = rows.integer(0);
      block_min_ = block_max_ = rows.integer(1);
    }
    block_min_ = std::min(block_min_, rows.integer(1));
    block_max_ = std::max(block_max_, rows.integer(1));
    filter_.add({rows.text(2), rows.text(3), rows.text(4), rows.text(5), rows.text(6), rows.text(7)});
    forgotten = forgotten || rows.integer(8) == 0;  // it must tell nothing of what was erased
  }
  filter_forgotten_ = forgotten;
  return {};
}

// The last checkpoint: where `meta` says, or else not looked for forever, since a log without any may be long.
static Result<std::pair<int64_t, std::string>> lastCheckpoint(store::Database& db) {
  for (const char* sql :
       {"SELECT seq, bytes FROM links WHERE kind = 4 AND seq = (SELECT value FROM meta WHERE name = 'signed')",
        "SELECT seq, bytes FROM (SELECT seq, kind, bytes FROM links ORDER BY seq DESC LIMIT 200000) WHERE kind = 4 "
        "LIMIT "
        "1"}) {
    store::Statement last = TRY(db.prepare(sql));
    if (TRY(last.step())) return std::pair<int64_t, std::string>(last.integer(0), last.text(1));
  }
  return std::pair<int64_t, std::string>(0, "");
}

// The key that signs after it; "" where there is none.
static Result<std::string> lastKey(store::Database& db) {
  const auto [seq, bytes] = TRY(lastCheckpoint(db));
  Fields fields;
  if (seq == 0) return std::string();
  if (!decode(bytes, fields)) return Error{"the last checkpoint, record " + std::to_string(seq) + ", is damaged"};
  return std::string(fields.text[CheckpointKey::kNextKey].empty() ? fields.text[CheckpointKey::kPublicKey]
                                                                  : fields.text[CheckpointKey::kNextKey]);
}

// The last checkpoint that one of these keys signed; 0: none. One by a stranger, or one that hands over to our key, is
// what anybody can write.
static Result<int64_t> lastSignedBy(store::Database& db, const std::vector<std::string>& keys) {
  Fields fields;
  for (const char* sql :
       {"SELECT seq, bytes FROM links WHERE kind = 4 AND seq = (SELECT value FROM meta WHERE name = 'signed')",
        "SELECT seq, bytes FROM links WHERE kind = 4 ORDER BY seq DESC"}) {
    store::Statement rows = TRY(db.prepare(sql));
    while (TRY(rows.step())) {
      if (decode(rows.text(1), fields) &&
          std::find(keys.begin(), keys.end(), fields.text[CheckpointKey::kPublicKey]) != keys.end())
        return rows.integer(0);
    }
  }
  return 0;
}

// What stands after the last checkpoint could have been written by anybody who has the file. The next checkpoint will
// sign it, so that has to be said first. "" where there is nothing.
Result<std::string> ChainWriter::unsignedTail(const std::vector<std::string>& keys) {
  const int64_t signed_seq = TRY(lastSignedBy(*database_, keys));
  if (signed_seq == 0 && was_signed_ && closedFiles(config_.database).empty()) return std::string();  // another's log
  store::Statement first = TRY(database_->prepare("SELECT min(seq) FROM links WHERE kind <> 0 AND seq > ?"));
  if (!TRY(first.bind(1, signed_seq).step()) || first.integer(0) == 0) return std::string();
  return std::to_string(first.integer(0)) + " " + std::to_string(seq_);
}

// Of a start: what is not signed yet, another key, and the first checkpoint by it.
Status ChainWriter::takeOver() {
  std::string before = TRY(lastKey(*database_));
  if (const auto closed = closedFiles(config_.database); before.empty() && !closed.empty()) {
    auto db = TRY(store::Database::open(closed.back(), store::Database::Mode::kRead));
    before = TRY(lastKey(db));
  }
  was_signed_ = !before.empty();
  const bool other = was_signed_ && (!key_ || key_->publicKey() != before);
  std::shared_ptr<const SigningKey> previous;
  if (other && key_ && !config_.previous_key_file.empty()) {
    previous = TRY(readKey(config_.previous_key_file, config_.trusted_owners));
    if (previous->publicKey() != before)
      return Error{config_.previous_key_file + " is not the key that signed last, " + keyId(before)};
  }
  std::vector<std::string> keys;
  if (key_) keys.push_back(key_->publicKey());
  if (previous) keys.push_back(previous->publicKey());
  const std::string tail = key_ ? TRY(unsignedTail(keys)) : "";
  if (!other && tail.empty()) return {};
  TRY(begin(4));
  auto done = takeOverIn(tail, other ? before : "", previous.get());
  if (done) done = commit();
  if (!done) rollback();
  return done;
}

Status ChainWriter::takeOverIn(const std::string& tail, const std::string& before, const SigningKey* previous) {
  if (!tail.empty())
    TRY(add(EventRecord{base::wallMicros(), was_signed_ ? kUnsignedEvent : kSigningEvent, config_.database, tail, 1}));
  if (previous != nullptr) {
    TRY(sign(*previous, key_->publicKey()));
  } else if (!before.empty()) {
    TRY(add(EventRecord{base::wallMicros(), "key changed", config_.database,
                        keyId(before) + " -> " + (key_ ? keyName() : "none") + ", not signed by the key before", 1}));
  }
  return addCheckpoint();
}

Status ChainWriter::writeLease(int64_t upto) {
  TRY(lease_->bind(1, upto).run());
  state_.leased = upto;
  return {};
}

Status ChainWriter::begin(int64_t links) {
  if (!database_) return Error{config_.database + ": is not open"};
  before_ = state_;
  flushed_ = false;
  checkpoint_ = 0;
  const int64_t most = seq_ + links + 2;  // and a checkpoint
  if (most > state_.leased) TRY(writeLease(most + kLease));
  return database_->execute("BEGIN IMMEDIATE");
}

void ChainWriter::rollback() {
  forgetRows();
  if (database_) (void)database_->execute("ROLLBACK");
  state_ = before_;
  if (!flushed_) return;
  flushed_ = false;
  if (refillBlock()) return;
  block_unknown_ = filter_forgotten_ = true;  // it says nothing, and hides nothing
  state_.block_count = std::max<int64_t>(1, before_.block_count);
}

Result<std::string_view> ChainWriter::newSalt() {
  if (salts_used_ == salts_.size()) {
    salts_ = TRY(base::randomBytes(kSalts * kSaltSize));
    salts_used_ = 0;
  }
  salts_used_ += kSaltSize;
  return std::string_view(salts_).substr(salts_used_ - kSaltSize, kSaltSize);
}

Result<int64_t> ChainWriter::add(const Entry& entry) {
  const int64_t seq = ++seq_;
  std::string_view salt;
  std::string_view personal;
  base::Sha256 commitment;
  if (entry.kind == Kind::kDecision || entry.personal_entries > 0) {
    salt = rows_.copy(TRY(newSalt()));
    personal_.clear();
    personalBytes(entry.personal, entry.personal_entries, personal_);
    commitment = hasher_.update(salt).update(personal_).finish();
    personal = rows_.copy(entry.personal);
  }
  bytes_.clear();
  canonicalBytes(entry.kind, seq, entry.decision_seq, entry.fields, entry.entries,
                 salt.empty() ? std::string_view() : base::view(commitment), bytes_);
  const std::string_view bytes = rows_.copy(bytes_);
  const std::string_view prev = rows_.copy(base::view(state_.head));
  state_.head = hasher_.update(prev).update(bytes).finish();
  inserts_[0]->integer(seq).integer(static_cast<int64_t>(entry.kind)).blob(prev).blob(bytes);
  inserts_[0]->blob(rows_.copy(base::view(state_.head)));
  ++state_.unsigned_links;
  // An outcome of a decision that was lost has no row.
  if (layout(entry.kind).table != nullptr && (entry.kind != Kind::kOutcome || entry.decision_seq != 0)) {
    Fields values;
    decode(bytes, values);
    decodeFields(personal, entry.personal_entries, values);
    TRY(addRow(entry.kind, seq, values, salt));
  }
  if (inserts_[0]->rows() >= kRowsAtOnce) TRY(insertRows());
  return seq;
}

// All that add() has gathered goes into its tables.
Status ChainWriter::insertRows() {
  for (auto& rows : inserts_) {
    if (rows) TRY(rows->run());
  }
  rows_.clear();
  return {};
}

void ChainWriter::forgetRows() {
  for (auto& rows : inserts_) {
    if (rows) rows->clear();
  }
  rows_.clear();
}

Status ChainWriter::add(const EventRecord& event) {
  Encoded encoded;
  encode(event, encoded);
  TRY(add({Kind::kEvent, 0, encoded.fields, encoded.entries, encoded.personal, encoded.personal_entries}));
  return {};
}

Status ChainWriter::addRow(Kind kind, int64_t seq, const Fields& values, std::string_view salt) {
  if (kind == Kind::kEvent && values.text[EventKey::kWhat].starts_with("reload")) sign_soon_ = true;
  if (kind == Kind::kEvent && !salt.empty())
    inserts_[kCallers]
        ->integer(seq)
        .text(values.text[EventKey::kCaller])
        .text(values.text[EventKey::kAbout])
        .blob(salt);
  const Layout& columns = layout(kind);
  store::BulkInsert& row = *inserts_[static_cast<size_t>(kind)];
  row.integer(seq);
  for (size_t i = 0; i < columns.count; ++i) {
    const size_t key = static_cast<size_t>(columns.columns[i].key);
    if (columns.columns[i].text) row.text(values.text[key]);
    else row.integer(values.number[key]);
  }
  if (kind == Kind::kDecision) {
    row.blob(salt);
    const int64_t time = values.number[DecisionKey::kTime];
    if (state_.block_count++ == 0) {
      state_.block_first = seq;
      block_min_ = block_max_ = time;
    }
    block_min_ = std::min(block_min_, time);
    block_max_ = std::max(block_max_, time);
    filter_.add({values.text[DecisionKey::kEffect], values.text[DecisionKey::kPrincipal],
                 values.text[DecisionKey::kMethod], values.text[DecisionKey::kPath], values.text[DecisionKey::kPolicy],
                 values.text[DecisionKey::kRule]});
  }
  return state_.block_count >= kBlockDecisions ? flushBlock() : Status();
}

Status ChainWriter::flushBlock() {
  const std::string filter = filter_forgotten_ ? std::string() : filter_.encode();
  TRY(block_->bind(1, seq_)
          .bind(2, block_unknown_ ? 0 : state_.block_first)
          .bind(3, block_unknown_ ? INT64_MIN : block_min_)
          .bind(4, block_unknown_ ? INT64_MAX : block_max_)
          .bindBlob(5, filter)
          .run());
  filter_.clear();
  filter_forgotten_ = block_unknown_ = false;
  state_.block_count = 0;
  flushed_ = true;
  return {};
}

bool ChainWriter::checkpointDue() const {
  if (!key_ || state_.unsigned_links == 0) return false;
  const int64_t age = (base::steadyNanos() - signed_at_) / 1'000'000;
  return sign_soon_ || state_.unsigned_links >= config_.checkpoint_records ||
         age >= config_.checkpoint_interval.count();
}

// The next link: what the chain is up to here, signed.
Status ChainWriter::sign(const SigningKey& key, std::string_view next_key) {
  const std::string signature = TRY(key.sign(checkpointMessage(log_id_, seq_ + 1, base::view(state_.head), next_key)));
  Encoded encoded;
  encode(CheckpointRecord{base::wallMicros(), key.publicKey(), signature, next_key}, encoded);
  TRY(add({Kind::kCheckpoint, 0, encoded.fields, encoded.entries}));
  store::Statement hint = TRY(database_->prepare("INSERT OR REPLACE INTO meta VALUES ('signed', ?)"));
  TRY(hint.bind(1, seq_).run());
  checkpoint_ = seq_;
  checkpoint_hash_ = base::hex(base::view(state_.head));
  return {};
}

Status ChainWriter::addCheckpoint() {
  return key_ ? sign(*key_, "") : Status{};
}

Status ChainWriter::commit() {
  TRY(insertRows());
  TRY(database_->execute("COMMIT"));
  if (checkpoint_ == 0) return {};
  committed_checkpoint_ = checkpoint_;
  committed_hash_ = checkpoint_hash_;
  state_.unsigned_links = 0;
  sign_soon_ = false;
  signed_at_ = base::steadyNanos();
  return {};
}

Status ChainWriter::close() {
  TRY(ready());
  TRY(writeLease(seq_));
  database_->checkpointPassive();
  return {};
}

Result<std::string> ChainWriter::rotate() {
  TRY(ready());
  const auto alone = RotationLock::alone(config_.database);
  if (!alone) return std::string();
  // All of it must be in the database itself before the database moves. A reader keeps that from being: later, then.
  if (!database_->truncateWal(false)) return std::string();
  TRY(carryPolicies());
  TRY(begin(2));
  const std::string name = closedName(config_.database, seq_ + (key_ ? 2 : 1));
  auto ended = add(EventRecord{base::wallMicros(), "rotated", config_.database,
                               "the file is full: the log goes on in a new one", 1});
  if (ended) ended = addCheckpoint();
  if (ended && state_.block_count > 0) ended = flushBlock();
  if (ended) ended = commit();
  if (!ended) return rollback(), std::move(ended).error();
  TRY(writeLease(seq_));
  if (!database_->truncateWal(false)) return std::string();
  inserts_.clear();
  lease_.reset();
  block_.reset();
  database_.reset();
  // Who reads it goes on reading it under its new name: what belongs to it goes with it.
  for (const char* part : {"", "-wal", "-shm"}) {
    if (std::rename((config_.database + part).c_str(), (name + part).c_str()) == 0 || errno == ENOENT) continue;
    const Error failed{config_.database + part + " cannot be renamed: " + std::strerror(errno)};
    (void)prepare();
    return failed;
  }
  TRY(prepare());
  return name;
}

}  // namespace yett::audit
