#include "sink/feed.h"

#include <sys/stat.h>

#include "audit/chain_writer.h"
#include "audit/record.h"
#include "audit/record_keys.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "store/database.h"

namespace yett::sink {
namespace {

using audit::Kind;

uint64_t inodeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

constexpr const char* kKinds[] = {"log", "decision", "outcome", "event", "checkpoint", "heartbeat"};

// A record's own fields. `reads` is JSON already.
void writeRow(store::Statement& row, const audit::Layout& layout, json::ObjectWriter& w, Record& out) {
  for (size_t i = 0; i < layout.count; ++i) {
    const std::string_view name = layout.columns[i].name;
    const int column = static_cast<int>(i);
    if (!layout.columns[i].text) {
      if (name == "time") out.time = row.integer(column);
      if (name == "time") w.field("time", base::formatTime(out.time));
      else if (name == "cached") w.flag(name, row.integer(column) != 0);
      else w.field(name, row.integer(column));
      continue;
    }
    const std::string_view text = row.text(column);
    if (name == "effect") out.effect = text;
    if (name == "reads" && !text.empty()) w.raw(name, text);
    else if (!text.empty()) w.field(name, text);
  }
}

}  // namespace

// The file that holds the record after `position`: the live one, or one that rotation has closed.
Status Feed::reopen(int64_t position) {
  const auto lock = audit::RotationLock::shared(database_);  // so that no file gets another name meanwhile
  std::string file = database_;
  for (const auto& closed : audit::closedFiles(database_)) {
    auto reader = TRY(audit::Reader::open(closed));
    auto row = TRY(reader.database().prepare("SELECT max(seq) FROM links"));
    if (TRY(row.step()) && row.integer(0) > position) {
      file = closed;
      break;
    }
  }
  if (reader_ && file == file_ && inodeOf(file) == inode_) return {};
  rows_.clear();
  callers_.reset();
  reader_.reset();
  inode_ = inodeOf(file);
  reader_.emplace(TRY(audit::Reader::open(file)));
  file_ = file;
  auto& db = reader_->database();
  rows_.push_back(TRY(db.prepare("SELECT seq, kind, hash, bytes FROM links WHERE seq > ? ORDER BY seq LIMIT ?")));
  for (int kind = 1; kind <= 5; ++kind) {
    const audit::Layout& layout = audit::layout(static_cast<Kind>(kind));
    if (layout.table == nullptr) {
      rows_.emplace_back();
      continue;
    }
    std::string columns;
    for (size_t i = 0; i < layout.count; ++i) columns += std::string(i > 0 ? "," : "") + layout.columns[i].name;
    if (kind == 1) columns += ",length(salt)";
    const char* key = kind == 2 ? "decision_seq" : "seq";
    rows_.push_back(TRY(db.prepare("SELECT " + columns + " FROM " + layout.table + " WHERE " + key + " = ?")));
  }
  if (TRY(audit::hasCallers(db)))
    callers_.emplace(TRY(db.prepare("SELECT caller, about, length(salt) FROM event_callers WHERE seq = ?")));
  return {};
}

Result<std::vector<Record>> Feed::read(int64_t position, size_t most) {
  constexpr size_t kMostBytes = 2 << 20;  // receivers have limits of their own
  std::vector<Record> out;
  size_t bytes = 0;
  auto& links = rows_[0];
  links.reset();
  links.bind(1, position).bind(2, static_cast<int64_t>(most));
  audit::Fields fields;
  while (TRY(links.step())) {
    const auto kind = static_cast<size_t>(links.integer(1));
    if (kind >= std::size(kKinds)) return Error{file_ + ": a record of an unknown kind"};
    if (!audit::decode(links.text(3), fields)) return Error{file_ + ": a record that cannot be read"};
    Record record{links.integer(0), 0, kKinds[kind], "", ""};
    json::ObjectWriter w(record.line);
    w.field("seq", record.seq).field("kind", record.kind);
    const audit::Layout& layout = audit::layout(static_cast<Kind>(kind));
    if (layout.table != nullptr) {
      auto& row = rows_[kind];
      row.bind(1, kind == 2 ? fields.number[audit::OutcomeKey::kDecisionSeq] : record.seq);
      if (TRY(row.step())) {
        writeRow(row, layout, w, record);
        if (kind == 1 && row.integer(static_cast<int>(layout.count)) == 0) w.flag("erased", true);
      }
      row.reset();
      if (kind == static_cast<size_t>(Kind::kEvent) && callers_) {
        callers_->bind(1, record.seq);
        if (TRY(callers_->step())) {
          writeRow(*callers_, audit::callerLayout(), w, record);
          if (callers_->integer(2) == 0) w.flag("erased", true);
        }
        callers_->reset();
      }
    } else if (kind == static_cast<size_t>(Kind::kCheckpoint)) {
      using audit::CheckpointKey;
      record.time = fields.number[CheckpointKey::kTime];
      w.field("time", base::formatTime(record.time));
      w.field("public_key", base::hex(fields.text[CheckpointKey::kPublicKey]));
      w.field("signature", base::hex(fields.text[CheckpointKey::kSignature]));
      if (const auto next = fields.text[CheckpointKey::kNextKey]; !next.empty()) w.field("next_key", base::hex(next));
    } else {
      record.time = fields.number[audit::LogKey::kTime];
      w.field("time", base::formatTime(record.time)).field("log_id", base::hex(fields.text[audit::LogKey::kLogId]));
    }
    w.field("hash", base::hex(links.text(2))).end();
    bytes += record.line.size();
    out.push_back(std::move(record));
    if (bytes > kMostBytes) break;
  }
  links.reset();
  return out;
}

Result<std::vector<Record>> Feed::after(int64_t position, size_t most) {
  if (!reader_ || inodeOf(file_) != inode_) TRY(reopen(position));
  auto out = TRY(read(position, most));
  if (!out.empty()) return out;
  TRY(reopen(position));
  return read(position, most);
}

Result<std::string> Feed::logId() {
  const auto lock = audit::RotationLock::shared(database_);
  auto live = TRY(audit::Reader::open(database_));
  auto row = TRY(live.database().prepare("SELECT value FROM meta WHERE name = 'log_id'"));
  if (!TRY(row.step())) return Error{database_ + ": its log id is missing"};
  return base::hex(row.text(0));
}

Result<int64_t> Feed::last() {
  if (!reader_ || file_ != database_ || inodeOf(file_) != inode_) {
    const auto lock = audit::RotationLock::shared(database_);
    auto live = TRY(audit::Reader::open(database_));
    auto row = TRY(live.database().prepare("SELECT coalesce(max(seq), 0) FROM links"));
    TRY(row.step());
    return row.integer(0);
  }
  auto row = TRY(reader_->database().prepare("SELECT coalesce(max(seq), 0) FROM links"));
  TRY(row.step());
  return row.integer(0);
}

}  // namespace yett::sink
