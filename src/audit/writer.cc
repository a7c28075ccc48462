#include "audit/writer.h"

#include <sys/random.h>

#include <cstring>

#include "audit/audit_schema.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

namespace yett::audit {
namespace {

constexpr int64_t kLease = 100'000;          // sequence numbers taken durably at once
constexpr int64_t kCheckpointEvery = 4'000;  // records between two moves of the WAL into the database
constexpr base::Millis kRetry{100};
constexpr base::Millis kIdleWait{1000};

// What stands before each record in the queue.
struct Frame {
  uint64_t ticket;  // of an outcome: its decision's. A decision's own is its place in the queue.
  uint32_t size;
  Kind kind;
  uint8_t entries;
};

std::string insertSql(Kind kind) {
  const Layout& l = layout(kind);
  std::string columns = "seq";
  std::string marks = "?";
  for (size_t i = 0; i < l.count; ++i) {
    columns += std::string(",") + l.columns[i].name;
    marks += ",?";
  }
  return std::string("INSERT INTO ") + l.table + " (" + columns + ") VALUES (" + marks + ")";
}

}  // namespace

Writer::Writer(const AuditConfig& config, base::Metrics& metrics, WriterEvents events)
    : config_(config),
      queue_({config.queue_records * 4096, config.queue_records}),
      events_(std::move(events)),
      written_(metrics.counter("yett_audit_records_total", {}, "records written to the audit database")) {
  metrics.gauge("yett_audit_queue_records", "records waiting to be written",
                [this] { return static_cast<int64_t>(queue_.records()); });
}

Result<std::unique_ptr<Writer>> Writer::open(const AuditConfig& config, base::Metrics& metrics, WriterEvents events) {
  std::unique_ptr<Writer> out(new Writer(config, metrics, std::move(events)));
  TRY(out->prepare());
  out->thread_ = std::thread([writer = out.get()] { writer->run(); });
  return out;
}

Writer::~Writer() {
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

Status Writer::prepare() {
  if (!config_.key_file.empty()) {
    auto key = SigningKey::fromPem(TRY(base::readSecretFile(config_.key_file)));
    if (!key) return Error{config_.key_file + " " + key.error().message};
    key_ = std::move(key).value();
  }
  signed_at_ = base::steadyNanos();
  database_ =
      std::make_unique<store::Database>(TRY(store::Database::open(config_.database, store::Database::Mode::kWrite)));
  TRY(database_->migrate({kAuditSchema1}));
  inserts_.push_back(TRY(database_->prepare("INSERT INTO links (seq, kind, prev, bytes, hash) VALUES (?,?,?,?,?)")));
  for (const Kind kind : {Kind::kDecision, Kind::kOutcome, Kind::kEvent})
    inserts_.push_back(TRY(database_->prepare(insertSql(kind))));
  lease_ = std::make_unique<store::Statement>(TRY(database_->prepare(
      "INSERT INTO meta VALUES ('lease', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value")));
  store::Statement last = TRY(database_->prepare("SELECT seq, hash FROM links ORDER BY seq DESC LIMIT 1"));
  const bool any = TRY(last.step());
  if (any) {
    if (last.text(1).size() != head_.size())
      return Error{config_.database + ": its last link is damaged: run `yett log verify`"};
    seq_ = last.integer(0);
    std::memcpy(head_.data(), last.text(1).data(), head_.size());
  }
  last.reset();
  store::Statement lease = TRY(database_->prepare("SELECT value FROM meta WHERE name = 'lease'"));
  // After a crash the numbers that were leased and not written stay unused: what was lost is a gap that anyone can see.
  if (TRY(lease.step())) seq_ = std::max(seq_, lease.integer(0));
  lease.reset();
  leased_ = seq_;
  if (any) return readLogId();
  std::string id(16, '\0');
  if (getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size()))
    return Error{"no random bytes for the log's id"};
  std::string fields;
  uint8_t entries = 0;
  encode(EventRecord{base::wallMicros(), "", "", id, 0}, fields, entries);
  log_id_ = id;
  TRY(database_->execute("BEGIN IMMEDIATE"));
  TRY(writeRecord(Kind::kLog, 0, fields, entries));
  return database_->execute("COMMIT");
}

Status Writer::readLogId() {
  store::Statement first = TRY(database_->prepare("SELECT bytes FROM links ORDER BY seq LIMIT 1"));
  Fields fields;
  if (!TRY(first.step()) || !decode(first.text(0), fields))
    return Error{config_.database + ": its first link is damaged: run `yett log verify`"};
  log_id_ = fields.text[5];
  return {};
}

uint64_t Writer::push(Kind kind, uint64_t ticket, std::string_view fields, uint8_t entries, bool force) {
  if (!force && !healthy()) return 0;
  thread_local std::string framed;
  const Frame frame{ticket, static_cast<uint32_t>(fields.size()), kind, entries};
  framed.assign(reinterpret_cast<const char*>(&frame), sizeof frame);
  framed += fields;
  return queue_.push(framed);
}

uint64_t Writer::append(const DecisionRecord& record) {
  thread_local std::string fields;
  fields.clear();
  uint8_t entries = 0;
  encode(record, fields, entries);
  return push(Kind::kDecision, 0, fields, entries, false);
}

void Writer::append(uint64_t ticket, const OutcomeRecord& record) {
  std::string fields;
  uint8_t entries = 0;
  encode(record, fields, entries);
  push(Kind::kOutcome, ticket, fields, entries, true);
}

void Writer::append(const EventRecord& record) {
  std::string fields;
  uint8_t entries = 0;
  encode(record, fields, entries);
  push(Kind::kEvent, 0, fields, entries, true);
}

void Writer::run() {
  std::string batch;
  for (;;) {
    const bool last = queue_.closed();
    // In strict mode requests wait for it; what comes during one commit makes the next batch.
    const size_t records = queue_.take(batch, kIdleWait, config_.strict ? base::Millis(0) : config_.batch_interval);
    if (records == 0) {
      if (key_ && unsigned_ > 0 && (last || checkpointDue())) signNow();
      if (!last) continue;
      if (auto ok = writeLease(seq_); !ok) events_.failed(ok.error().message);  // a clean end leaves no gap
      database_->checkpointPassive();
      return;
    }
    bool lost = false;
    for (int attempt = 0;; ++attempt) {
      auto ok = writeBatch(batch);
      if (ok) break;
      if (healthy_.exchange(false)) events_.failed(ok.error().message);
      if (queue_.closed() && attempt >= 10) {
        events_.failed(std::to_string(records) + " records are lost: " + ok.error().message);
        lost = true;
        break;
      }
      std::this_thread::sleep_for(kRetry);
    }
    taken_ += records;
    if (lost) {
      seq_ += static_cast<int64_t>(records);  // a gap that anyone can see
      continue;
    }
    if (!healthy_.exchange(true)) events_.failed("");
    if (config_.strict && events_.durable) events_.durable(taken_);
    written_.add(static_cast<int64_t>(records));
    written_since_checkpoint_ += static_cast<int64_t>(records);
    if (written_since_checkpoint_ >= kCheckpointEvery) {
      database_->checkpointPassive();
      written_since_checkpoint_ = 0;
    }
  }
}

bool Writer::checkpointDue() const {
  if (!key_ || unsigned_ == 0) return false;
  const int64_t age = (base::steadyNanos() - signed_at_) / 1'000'000;
  return sign_soon_ || unsigned_ >= config_.checkpoint_records || age >= config_.checkpoint_interval.count();
}

// The next link: what the chain is up to here, signed.
Status Writer::writeCheckpoint() {
  const std::string signature = TRY(key_->sign(checkpointMessage(log_id_, seq_ + 1, base::view(head_))));
  std::string fields;
  uint8_t entries = 0;
  encode(CheckpointRecord{base::wallMicros(), key_->publicKey(), signature}, fields, entries);
  TRY(writeRecord(Kind::kCheckpoint, 0, fields, entries));
  signed_seq_ = seq_;
  return {};
}

// A batch of a checkpoint alone. Where it fails, a later one will do.
void Writer::signNow() {
  if (auto ok = writeBatch({}); !ok) events_.failed(ok.error().message);
}

Status Writer::writeLease(int64_t upto) {
  TRY(lease_->bind(1, upto).run());
  leased_ = upto;
  return {};
}

Status Writer::writeBatch(const std::string& batch) {
  // On failure everything is as it was: the chain's head too, so that the same batch can be tried again.
  const auto head = head_;
  const int64_t seq = seq_;
  const int64_t leased = leased_;
  const int64_t unsigned_links = unsigned_;
  signed_seq_ = 0;
  const auto undo = [&](Status why) {
    (void)database_->execute("ROLLBACK");
    head_ = head;
    seq_ = seq;
    leased_ = leased;
    unsigned_ = unsigned_links;
    closed_.clear();
    return why;
  };
  std::string_view rest = batch;
  uint64_t place = taken_;
  if (seq_ + static_cast<int64_t>(batch.size() / sizeof(Frame)) + 1 >= leased_) {
    if (auto ok = writeLease(seq_ + static_cast<int64_t>(batch.size() / sizeof(Frame)) + kLease); !ok) return ok;
  }
  if (auto ok = database_->execute("BEGIN IMMEDIATE"); !ok) return ok;
  while (!rest.empty()) {
    Frame frame;
    std::memcpy(&frame, rest.data(), sizeof frame);
    rest.remove_prefix(sizeof frame);
    ++place;
    const uint64_t ticket = frame.kind == Kind::kDecision ? place : frame.ticket;
    if (auto ok = writeRecord(frame.kind, ticket, rest.substr(0, frame.size), frame.entries); !ok)
      return undo(std::move(ok));
    rest.remove_prefix(frame.size);
  }
  if (key_ && (checkpointDue() || batch.empty())) {
    if (auto ok = writeCheckpoint(); !ok) return undo(std::move(ok));
  }
  if (auto ok = database_->execute("COMMIT"); !ok) return undo(std::move(ok));
  if (signed_seq_ != 0) {
    unsigned_ = 0;
    sign_soon_ = false;
    signed_at_ = base::steadyNanos();
    if (events_.checkpoint) events_.checkpoint(signed_seq_, base::hex(base::view(head_)), keyId(key_->publicKey()));
  }
  for (const uint64_t ticket : closed_) open_decisions_.erase(ticket);
  closed_.clear();
  return {};
}

Status Writer::writeRecord(Kind kind, uint64_t ticket, std::string_view fields, uint8_t entries) {
  int64_t decision_seq = 0;
  if (kind == Kind::kOutcome) {
    const auto open = open_decisions_.find(ticket);
    decision_seq = open == open_decisions_.end() ? 0 : open->second;
    closed_.push_back(ticket);  // forgotten once the batch is committed: it may have to be written again
  }
  const int64_t seq = ++seq_;
  bytes_.clear();
  canonicalBytes(kind, seq, decision_seq, fields, entries, bytes_);
  const auto hash = hasher_.update(base::view(head_)).update(bytes_).finish();
  store::Statement& link = inserts_[0];
  TRY(link.bind(1, seq)
          .bind(2, static_cast<int64_t>(kind))
          .bindBlob(3, base::view(head_))
          .bindBlob(4, bytes_)
          .bindBlob(5, base::view(hash))
          .run());
  head_ = hash;
  ++unsigned_;
  if (kind == Kind::kDecision) open_decisions_[ticket] = seq;
  const Layout& columns = layout(kind);
  if (columns.table == nullptr) return {};
  Fields values;
  if (!decode(bytes_, values)) return Error{"a record that cannot be read back"};
  if (kind == Kind::kEvent && values.text[3].starts_with("reload")) sign_soon_ = true;
  store::Statement& row = inserts_[static_cast<size_t>(kind)];
  row.bind(1, seq);
  for (size_t i = 0; i < columns.count; ++i) {
    const size_t key = static_cast<size_t>(columns.columns[i].key);
    if (columns.columns[i].text) row.bind(static_cast<int>(i) + 2, values.text[key]);
    else row.bind(static_cast<int>(i) + 2, values.number[key]);
  }
  return row.run();
}

}  // namespace yett::audit
