#include "sink/feed.h"

#include <sys/stat.h>

#include "audit/log_files.h"
#include "audit/record.h"
#include "audit/record_keys.h"
#include "base/text.h"
#include "store/database.h"

namespace yett::sink {
namespace {

uint64_t inodeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

// Opens the file that has the record after `position`: the live one, or one that rotation has closed.
Status Feed::reopen(int64_t position) {
  const auto lock = audit::RotationLock::shared(database_);  // so that no file is renamed meanwhile
  std::string file = database_;
  for (const auto& closed : audit::closedFiles(database_)) {
    if (audit::closedNumber(closed) <= position) continue;
    file = closed;
    break;
  }
  if (reader_ && file == file_ && inodeOf(file) == inode_) return {};
  callers_.reset();
  records_.reset();
  reader_.reset();
  inode_ = inodeOf(file);
  reader_.emplace(TRY(audit::Reader::open(file)));
  file_ = file;
  log_id_ = TRY(audit::metaBytes(reader_->database(), "log_id")).value_or("");
  callers_.emplace(TRY(reader_->database().prepare("SELECT caller, about, salt FROM event_callers WHERE seq = ?")));
  return {};
}

// Reads what an event says about a caller.
Status Feed::readCaller(int64_t seq, audit::Fields& fields, std::string& salt, std::string& personal) {
  callers_->reset();
  if (!TRY(callers_->bind(1, seq).step())) return {};
  caller_ = callers_->text(0);
  about_ = callers_->text(1);
  salt = callers_->text(2);
  fields.text[audit::EventKey::kCaller] = caller_;
  fields.text[audit::EventKey::kAbout] = about_;
  if (salt.empty()) return {};
  audit::Encoded encoded;
  encodePersonal(audit::callerLayout(), fields, encoded);
  audit::personalBytes(encoded.personal, encoded.personal_entries, personal);
  return {};
}

Result<Record> Feed::lineOf(const audit::ChainWalk::Step& step) {
  const auto& record = *step.record;
  LineOf of{.seq = record.seq,
            .kind = record.kind,
            .fields = step.fields,
            .erased = record.erased,
            .log_id = log_id_,
            .hash = base::view(*step.hash)};
  LineOf::Proof proof{base::view(*step.before), step.bytes, step.salt, step.personal};
  if (proof_) of.proof = &proof;
  if (record.kind != audit::Kind::kEvent || step.fields->text[audit::LinkKey::kCommitment].empty())
    return writeLine(of);
  audit::Fields fields = *step.fields;
  std::string salt;
  std::string personal;
  TRY(readCaller(record.seq, fields, salt, personal));
  proof.salt = salt;
  proof.personal = personal;
  of.fields = &fields;
  of.erased = salt.empty();
  return writeLine(of);
}

Result<std::vector<Record>> Feed::read(int64_t position, size_t most) {
  constexpr size_t kMaxBytes = 2 << 20;  // receivers have limits of their own
  std::vector<Record> out;
  size_t bytes = 0;
  if (!records_ || position_ != position) records_.emplace(reader_->database(), position);
  position_ = -1;  // unknown if this fails
  int64_t last = position;
  while (out.size() < most && bytes <= kMaxBytes) {
    auto next = records_->next();
    if (!next) return Error{file_ + ": " + next.error().message};
    if (!next.value()) break;
    Record record = TRY(lineOf(*next.value()));
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
