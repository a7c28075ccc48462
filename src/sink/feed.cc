#include "sink/feed.h"

#include <sys/stat.h>

#include "audit/log_files.h"
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
void writeFields(const audit::Fields& fields, const audit::Layout& layout, json::ObjectWriter& w, Record& out) {
  for (size_t i = 0; i < layout.count; ++i) {
    const std::string_view name = layout.columns[i].name;
    const auto key = static_cast<size_t>(layout.columns[i].key);
    const int64_t number = fields.number[key];
    const std::string_view text = fields.text[key];
    if (!layout.columns[i].text) {
      if (name == "time") out.time = number;
      if (name == "time") w.field("time", base::formatTime(out.time));
      else if (name == "cached") w.flag(name, number != 0);
      else w.field(name, number);
      continue;
    }
    if (name == "effect") out.effect = text;
    if (name == "reads" && !text.empty()) w.raw(name, text);
    else if (!text.empty()) w.field(name, text);
  }
}

void writeCheckpoint(const audit::Fields& fields, json::ObjectWriter& w, Record& out) {
  using audit::CheckpointKey;
  out.time = fields.number[CheckpointKey::kTime];
  w.field("time", base::formatTime(out.time));
  w.field("public_key", base::hex(fields.text[CheckpointKey::kPublicKey]));
  w.field("signature", base::hex(fields.text[CheckpointKey::kSignature]));
  if (const auto next = fields.text[CheckpointKey::kNextKey]; !next.empty()) w.field("next_key", base::hex(next));
}

void writeLog(const audit::Fields& fields, json::ObjectWriter& w, Record& out) {
  out.time = fields.number[audit::LogKey::kTime];
  w.field("time", base::formatTime(out.time)).field("log_id", base::hex(fields.text[audit::LogKey::kLogId]));
}

// What an event says of a caller.
Status writeCaller(store::Statement& row, int64_t seq, json::ObjectWriter& w) {
  row.reset();
  if (!TRY(row.bind(1, seq).step())) return {};
  if (!row.text(0).empty()) w.field("caller", row.text(0));
  if (!row.text(1).empty()) w.field("about", row.text(1));
  if (row.integer(2) == 0) w.flag("erased", true);
  return {};
}

}  // namespace

// The file that holds the record after `position`: the live one, or one that rotation has closed.
Status Feed::reopen(int64_t position) {
  const auto lock = audit::RotationLock::shared(database_);  // so that no file gets another name meanwhile
  std::string file = database_;
  for (const auto& closed : audit::closedFiles(database_)) {
    auto reader = TRY(audit::Reader::open(closed));
    if (TRY(audit::BlockSource(reader.database()).end()).first > position) {
      file = closed;
      break;
    }
  }
  if (reader_ && file == file_ && inodeOf(file) == inode_) return {};
  callers_.reset();
  records_.reset();
  reader_.reset();
  inode_ = inodeOf(file);
  reader_.emplace(TRY(audit::Reader::open(file)));
  file_ = file;
  callers_.emplace(
      TRY(reader_->database().prepare("SELECT caller, about, length(salt) FROM event_callers WHERE seq = ?")));
  return {};
}

Result<std::vector<Record>> Feed::read(int64_t position, size_t most) {
  constexpr size_t kMostBytes = 2 << 20;  // receivers have limits of their own
  std::vector<Record> out;
  size_t bytes = 0;
  if (!records_ || position_ != position) records_.emplace(reader_->database(), position);
  position_ = -1;  // not known, should it fail
  int64_t last = position;
  while (out.size() < most && bytes <= kMostBytes) {
    auto next = records_->next();
    if (!next) return Error{file_ + ": " + next.error().message};
    if (!next.value()) break;
    const audit::ChainWalk::Step& step = *next.value();
    Record record{step.record->seq, 0, kKinds[static_cast<size_t>(step.record->kind)], "", ""};
    json::ObjectWriter w(record.line);
    w.field("seq", record.seq).field("kind", record.kind);
    const audit::Layout& layout = audit::layout(step.record->kind);
    if (layout.table != nullptr) writeFields(*step.fields, layout, w, record);
    if (step.record->erased) w.flag("erased", true);
    if (step.record->kind == Kind::kEvent) TRY(writeCaller(*callers_, record.seq, w));
    if (step.record->kind == Kind::kCheckpoint) writeCheckpoint(*step.fields, w, record);
    if (step.record->kind == Kind::kLog) writeLog(*step.fields, w, record);
    w.field("hash", base::hex(base::view(*step.hash))).end();
    bytes += record.line.size();
    last = record.seq;
    out.push_back(std::move(record));
  }
  callers_->reset();
  position_ = last;
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
  const auto id = TRY(audit::metaBytes(live.database(), "log_id"));
  if (!id) return Error{database_ + ": its log id is missing"};
  return base::hex(*id);
}

Result<int64_t> Feed::last() {
  if (!reader_ || file_ != database_ || inodeOf(file_) != inode_) {
    const auto lock = audit::RotationLock::shared(database_);
    auto live = TRY(audit::Reader::open(database_));
    return TRY(audit::BlockSource(live.database()).end()).first;
  }
  return TRY(audit::BlockSource(reader_->database()).end()).first;
}

}  // namespace yett::sink
