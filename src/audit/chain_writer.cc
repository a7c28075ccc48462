#include "audit/chain_writer.h"

#include <unistd.h>

#include "audit/block_source.h"
#include "audit/log_files.h"
#include "audit/open_log.h"
#include "audit/policies.h"
#include "audit/record_keys.h"
#include "base/clock.h"
#include "base/text.h"

namespace yett::audit {
namespace {

// The first record after this one that is not of kind kLog; 0: none.
Result<int64_t> firstAfter(store::Database& db, int64_t seq) {
  const auto look = [seq](const BlockData& data) -> int64_t {
    for (const auto& record : data.records()) {
      if (record.seq > seq && record.kind != Kind::kLog) return record.seq;
    }
    return 0;
  };
  BlockSource source(db);
  auto blocks = TRY(db.prepare("SELECT last FROM blocks WHERE last > ? ORDER BY last"));
  blocks.bind(1, seq);
  while (TRY(blocks.step())) {
    const auto data = TRY(source.body(blocks.integer(0)));
    if (const int64_t found = data ? look(*data) : 0; found != 0) return found;
  }
  const auto open = TRY(source.tail());
  return open ? look(open->data) : 0;
}

}  // namespace

Result<std::unique_ptr<ChainWriter>> ChainWriter::open(const AuditConfig& config) {
  std::unique_ptr<ChainWriter> out(new ChainWriter(config));
  (void)RotationLock::alone(config.database);  // creates the file that readers lock
  out->signer_ = TRY(Signer::open(out->config_));
  TRY(out->prepare());
  TRY(out->takeOver());
  for (const auto& closed : closedFiles(config.database)) {
    if (::access((closed + "-wal").c_str(), F_OK) == 0) out->untidy_.insert(closed);
  }
  out->signer_->soon();  // so that a new log can be verified, too
  return out;
}

Status ChainWriter::ready() {
  return file_.isOpen() ? Status() : prepare();
}

// Afterwards the object is either complete or marked as not open.
Status ChainWriter::prepare() {
  auto opened = openFile();
  if (!opened) file_.close();
  else may_begin_ = false;
  return opened;
}

Status ChainWriter::openFile() {
  signer_->restart();
  TRY(file_.open());
  if (taken_ == nullptr) taken_ = TakenPage::open(config_.database + ".taken");  // locked: nobody else counts there
  if (auto resumed = tail_.resume(file_.database()); !resumed)
    return Error{config_.database + ": " + resumed.error().message + ": run `yett log verify`"};
  if (tail_.last() == 0) return beginFile();
  log_id_ = TRY(file_.logId());
  const std::string before = file_.begunBefore();
  if (!before.empty() && before != base::hex(log_id_) && (!may_begin_ || config_.on_missing == OnMissing::kRefuse))
    return Error{config_.database + ": log " + before + " was here, but this is log " + base::hex(log_id_) +
                 ": put it back, or set `audit.on_missing` to \"start_new\""};
  TRY(file_.noteBegun(log_id_));
  held_ = TRY(file_.held());
  const int64_t lease = TRY(file_.lease(tail_.last()));
  state_.seq = nextNumber(tail_.last(), lease);
  state_.leased = std::max(state_.seq, lease);
  const int64_t lost = state_.seq - tail_.last();
  if (lost != 0) TRY(transaction(1, [&] { return addGap(tail_.last(), lost); }));
  beginCounting();
  return {};
}

// Records lost in a crash leave a visible gap: the numbers of the records that were accepted but not written, or all
// leased numbers if that is unknown.
int64_t ChainWriter::nextNumber(int64_t last, int64_t lease) {
  if (std::exchange(started_, true)) return std::max(last, state_.seq);  // unwritten records are still in memory
  const auto lost = taken_ != nullptr ? taken_->lost(log_id_, last) : std::nullopt;
  guessed_ = !lost;
  if (lost) return last + *lost;
  if (taken_ != nullptr) taken_->distrust();
  return std::max(last, lease);
}

// Only after the loss is recorded: if a start fails before that, the next one still has the same information.
void ChainWriter::beginCounting() {
  if (std::exchange(guessed_, false) && taken_ != nullptr) taken_->begin(log_id_, state_.seq);
}

// For the writer's own records: leases their numbers in the same transaction. Otherwise a start that fails repeatedly
// would lease more each time.
template <typename Work>
Status ChainWriter::transaction(int64_t records, Work work) {
  before_ = state_;
  TRY(file_.database().execute("BEGIN IMMEDIATE"));
  checkpoint_ = 0;
  Status done = lease(records);
  if (done) done = work();
  if (done) done = commit();
  if (!done) rollback();
  return done;
}

Status ChainWriter::addGap(int64_t after, int64_t lost) {
  const std::string detail = "after " + std::to_string(after) + ": " + (guessed_ ? "at most " : "") +
                             std::to_string(lost) + " records were accepted but not written";
  return add(EventRecord{base::wallMicros(), "gap", config_.database, detail, lost});
}

// Begins a new log, or a file that continues another.
Status ChainWriter::beginFile() {
  if (!may_begin_) return Error{config_.database + ": has lost its records while yett was writing to it"};
  const std::string gone = closedFiles(config_.database).empty() ? file_.begunBefore() : "";
  if (!gone.empty() && config_.on_missing == OnMissing::kRefuse)
    return Error{config_.database + ": log " + gone +
                 " was here but is missing: put it back, or set `audit.on_missing` to \"start_new\""};
  const auto beginning = TRY(file_.beginning());
  log_id_ = beginning.log_id;
  held_ = beginning.held;
  tail_.follow(beginning.head);
  state_.seq = state_.leased = nextNumber(beginning.seq, beginning.lease);
  const int64_t lost = state_.seq - beginning.seq;
  auto done = transaction(4 + static_cast<int64_t>(carried_.size()), [&]() -> Status {
    TRY(file_.putBeginning(beginning));
    if (beginning.held) TRY(file_.putHold(true));
    Encoded encoded;
    encode(LogRecord{base::wallMicros(), log_id_, config_.instance, config_.spiffe_id,
                     signs() ? std::string_view(signer_->key()->publicKey()) : std::string_view()},
           encoded);
    TRY(add({.kind = Kind::kLog, .fields = encoded.fields, .entries = encoded.entries}));
    if (lost != 0) TRY(addGap(beginning.seq, lost));
    if (!gone.empty())
      TRY(add(EventRecord{base::wallMicros(), "log missing", config_.database,
                          "log " + gone + " was here before; this log replaces it", 1}));
    for (const auto& [digest, document] : carried_) TRY(putPolicy(*this, digest, document));
    return {};
  });
  if (done) beginCounting();
  return done ? file_.noteBegun(log_id_) : std::move(done);
}

Status ChainWriter::setHold(bool on) {
  TRY(ready());
  if (on == held_) return {};
  auto done = transaction(2, [&]() -> Status {
    TRY(add(EventRecord{base::wallMicros(), on ? "hold" : "hold ended", config_.database,
                        on ? "nothing is deleted or erased" : "retention and erasure resume", 1}));
    TRY(file_.putHold(on));
    return addCheckpoint();
  });
  if (done) held_ = on;
  return done;
}

// Records after the last checkpoint could have been written by anybody who can write the file. The next checkpoint will
// sign them, so an event must name them first. "" if there are none.
Result<std::string> ChainWriter::unsignedTail(const std::vector<std::string>& keys) {
  const auto signed_last = TRY(lastSignedBy(file_.database(), keys));
  const int64_t signed_seq = signed_last ? signed_last->seq : 0;
  if (signed_seq == 0 && was_signed_ && closedFiles(config_.database).empty()) return std::string();  // another's log
  const int64_t first = TRY(firstAfter(file_.database(), signed_seq));
  if (first == 0) return std::string();
  return std::to_string(first) + " " + std::to_string(state_.seq);
}

// At a start: records what is not signed yet and a change of keys, and adds a checkpoint.
Status ChainWriter::takeOver() {
  auto last = TRY(lastCheckpoint(file_.database()));
  if (const auto closed = closedFiles(config_.database); !last && !closed.empty()) {
    auto db = TRY(openLog(closed.back()));
    last = TRY(lastCheckpoint(db));
  }
  was_signed_ = last.has_value();
  const std::string before = last ? last->signs_next : "";
  const SigningKey* key = signer_->key();
  const bool other = was_signed_ && (key == nullptr || key->publicKey() != before);
  const auto previous = other ? TRY(signer_->previous(before)) : nullptr;
  const std::string tail = key != nullptr ? TRY(unsignedTail(signer_->trusted(previous.get()))) : "";
  if (!other && tail.empty()) return {};
  return transaction(4, [&] { return takeOverIn(tail, other ? before : "", previous.get()); });
}

Status ChainWriter::takeOverIn(const std::string& tail, const std::string& before, const SigningKey* previous) {
  if (!tail.empty())
    TRY(add(EventRecord{base::wallMicros(), was_signed_ ? kUnsignedEvent : kSigningEvent, config_.database, tail, 1}));
  if (previous != nullptr) {
    TRY(sign(*previous, signer_->key()->publicKey()));
  } else if (!before.empty()) {
    TRY(add(EventRecord{base::wallMicros(), kKeyEvent, config_.database,
                        keyId(before) + " -> " + (signs() ? keyName() : "none") + ", not signed by the previous key",
                        1}));
  }
  return addCheckpoint();
}

Status ChainWriter::begin(int64_t records) {
  if (!file_.isOpen()) return Error{config_.database + ": is not open"};
  checkpoint_ = 0;
  TRY(lease(records));  // before the transaction, so that a crash leaves a visible gap
  before_ = state_;
  return file_.database().execute("BEGIN IMMEDIATE");
}

Status ChainWriter::lease(int64_t records) {
  const int64_t most = state_.seq + records + 2;  // and a checkpoint
  if (most <= state_.leased) return {};
  TRY(file_.putLease(most + kLease));
  state_.leased = most + kLease;
  return {};
}

// Reloads the tail in memory from disk. If even that fails, closes the file, so that it is opened again later.
void ChainWriter::rollback() {
  state_ = before_;
  if (!file_.isOpen()) return;
  (void)file_.database().execute("ROLLBACK");
  if (!tail_.resume(file_.database())) file_.close();
}

Result<int64_t> ChainWriter::add(const Entry& entry) {
  if (entry.kind == Kind::kEvent) {
    Fields fields;
    decodeFields(entry.fields, entry.entries, fields);
    if (fields.text[EventKey::kWhat].starts_with("reload")) signer_->soon();
  }
  const int64_t seq = ++state_.seq;
  TRY(tail_.add(seq, entry));
  ++state_.unsigned_records;
  return seq;
}

Status ChainWriter::add(const EventRecord& event) {
  Encoded encoded;
  encode(event, encoded);
  TRY(add({.kind = Kind::kEvent,
           .fields = encoded.fields,
           .entries = encoded.entries,
           .personal = encoded.personal,
           .personal_entries = encoded.personal_entries}));
  return {};
}

// Adds a record that signs the chain so far.
Status ChainWriter::sign(const SigningKey& key, std::string_view next_key) {
  const std::string signature =
      TRY(key.sign(checkpointMessage(log_id_, state_.seq + 1, base::view(tail_.head()), next_key)));
  Encoded encoded;
  encode(CheckpointRecord{base::wallMicros(), key.publicKey(), signature, next_key}, encoded);
  TRY(add({.kind = Kind::kCheckpoint, .fields = encoded.fields, .entries = encoded.entries}));
  checkpoint_ = state_.seq;
  checkpoint_hash_ = base::hex(base::view(tail_.head()));
  return {};
}

Status ChainWriter::addCheckpoint() {
  return signs() ? sign(*signer_->key(), "") : Status{};
}

Status ChainWriter::commit() {
  TRY(tail_.put());
  TRY(file_.checkPlace());
  if (taken_ != nullptr) taken_->note(state_.seq);
  TRY(file_.database().execute("COMMIT"));
  if (taken_ != nullptr) taken_->noted();
  if (checkpoint_ == 0) return {};
  committed_checkpoint_ = checkpoint_;
  committed_hash_ = checkpoint_hash_;
  state_.unsigned_records = 0;
  signer_->restart();
  return {};
}

Status ChainWriter::close() {
  TRY(ready());
  TRY(file_.putLease(state_.seq));
  file_.database().checkpointPassive();
  return {};
}

void ChainWriter::tidy() {
  constexpr int64_t kEvery = 1'000'000'000;
  const int64_t now = base::steadyNanos();
  if (untidy_.empty() || now - tidied_at_ < kEvery) return;
  tidied_at_ = now;
  std::erase_if(untidy_, [](const std::string& name) {
    auto db = openClosedLog(name);
    if (!db) return ::access(name.c_str(), F_OK) != 0;  // retention may have deleted it
    return static_cast<bool>(db.value().truncateWal(false));
  });
}

Result<std::string> ChainWriter::rotate() {
  TRY(ready());
  const auto alone = RotationLock::alone(config_.database);
  if (!alone) return std::string();
  carried_ = TRY(file_.neededPolicies());
  const std::string name = closedName(config_.database, state_.seq + (signs() ? 2 : 1));
  TRY(transaction(2, [&]() -> Status {
    TRY(add(EventRecord{base::wallMicros(), "rotated", config_.database,
                        "the file is full: the log continues in a new one", 1}));
    TRY(addCheckpoint());
    return tail_.close();
  }));
  TRY(file_.putLease(state_.seq));
  state_.leased = state_.seq;
  // If a reader prevents that, the write-ahead log is renamed with the database: see tidy().
  if (!file_.database().truncateWal(false)) untidy_.insert(name);
  tail_.release();
  may_begin_ = true;
  auto renamed = file_.rename(name);
  // Until the new file is noted as the one that is written, anybody who opens it would take it for a copy.
  TRY(prepare());
  TRY(std::move(renamed));
  return name;
}

}  // namespace yett::audit
