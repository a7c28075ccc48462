#include "audit/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "audit/audit_schema.h"
#include "audit/block_source.h"
#include "audit/log_files.h"
#include "audit/log_schema.h"
#include "audit/open_log.h"
#include "audit/policies.h"
#include "audit/record.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"

namespace yett::audit {

namespace {

constexpr size_t kIdSize = 16;

Result<int64_t> leaseOf(store::Database& db, const std::string& path, int64_t last) {
  const int64_t out = TRY(metaNumber(db, "lease")).value_or(0);
  if (out < 0 || out > last + kMaxLeased) return Error{path + ": the numbers that it says were leased are invalid"};
  return out;
}

}  // namespace

// Completes a rotation that was interrupted between its renames: otherwise the next database would take over the old
// write-ahead log, which still has the matching name.
Status LogFile::finishRename() {
  const std::string wal = path_ + "-wal";
  if (::access(path_.c_str(), F_OK) == 0) return {};
  const auto closed = closedFiles(path_);
  if (closed.empty()) return {};
  const auto noted = base::readFile(path_ + ".lock");
  struct stat info {};
  if (!noted || ::stat(closed.back().c_str(), &info) != 0) return {};
  const auto lines = base::split(noted.value(), '\n');
  if (lines.size() < 2 || lines[1] != "inode " + std::to_string(info.st_ino)) return {};
  if (std::rename(wal.c_str(), (closed.back() + "-wal").c_str()) != 0 && errno != ENOENT)
    return Error{wal + ": cannot be renamed, although it belongs to " + closed.back() + ": " + std::strerror(errno)};
  std::remove((path_ + "-shm").c_str());  // otherwise the next database would use an index that readers hold
  return {};
}

Status LogFile::open() {
  close();
  TRY(finishRename());
  database_ = std::make_unique<store::Database>(TRY(store::Database::open(path_, store::Database::Mode::kWrite)));
  TRY(database_->migrate({"", "", "", kAuditSchema1}));
  TRY(checkIsLog(*database_, path_));
  TRY(checkPlace());
  lease_ =
      std::make_unique<store::Statement>(TRY(database_->prepare("INSERT OR REPLACE INTO meta VALUES ('lease', ?)")));
  return {};
}

// SQLite may shrink its write-ahead log, but never the database.
Status LogFile::checkPlace(const std::string& path, bool shrinks, Place& place) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (place.inode == 0) return {};
    return Error{path + ": is gone while yett is writing to it (" + std::strerror(errno) + ")"};
  }
  if (place.inode != 0 && (info.st_ino != place.inode || info.st_dev != place.device))
    return Error{path + ": is another file: the one that yett was writing to was replaced"};
  if (!shrinks && info.st_size < place.size) return Error{path + ": was cut off while yett was writing to it"};
  place = {info.st_dev, info.st_ino, info.st_size};
  return {};
}

Status LogFile::checkPlace() {
  TRY(checkPlace(path_, false, place_));
  return checkPlace(path_ + "-wal", true, wal_place_);
}

std::string LogFile::begunBefore() const {
  auto noted = base::readFile(path_ + ".lock");
  return noted ? std::string(base::trimmed(base::split(noted.value(), '\n').front())) : "";
}

Status LogFile::noteBegun(const std::string& log_id) {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) return Error{path_ + ": is not there: " + std::strerror(errno)};
  const std::string line = base::hex(log_id) + "\ninode " + std::to_string(info.st_ino) + "\n";
  if (const auto noted = base::readFile(path_ + ".lock"); noted && noted.value() == line) return {};
  const int fd = ::open((path_ + ".lock").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  const bool ok =
      fd >= 0 && ::write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fdatasync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  return ok ? Status{} : Error{path_ + ".lock: cannot be written: " + std::strerror(why)};
}

void LogFile::close() {
  place_ = wal_place_ = {};
  lease_.reset();
  database_.reset();
}

Result<std::string> LogFile::logId() {
  const auto id = TRY(metaBytes(*database_, "log_id"));
  if (!id || id->size() != kIdSize) return Error{path_ + ": its log id is missing"};
  return *id;
}

Result<LogFile::Beginning> LogFile::beginning() {
  Beginning out;
  const auto closed = closedFiles(path_);
  if (closed.empty()) {
    out.log_id = TRY(base::randomBytes(kIdSize));
    return out;
  }
  auto db = TRY(openClosedToRead(closed.back()));
  const auto [last, hash] = TRY(BlockSource(db).end());
  const auto id = TRY(metaBytes(db, "log_id"));
  if (last == 0 || !id || id->size() != kIdSize)
    return Error{closed.back() + ": is not an audit log, although its name says that this log continues it"};
  out.log_id = *id;
  out.seq = last;
  out.lease = TRY(leaseOf(db, closed.back(), last));
  std::memcpy(out.head.data(), hash.data(), out.head.size());
  out.held = TRY(metaNumber(db, "hold")).value_or(0) != 0;
  out.clock_ahead = TRY(metaNumber(db, "clock_ahead")).value_or(0);
  out.clock_wait = TRY(metaNumber(db, "clock_wait")).value_or(0);
  return out;
}

Status LogFile::putBeginning(const Beginning& beginning) {
  store::Statement meta = TRY(database_->prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)"));
  TRY(meta.bind(1, std::string_view("log_id")).bindBlob(2, beginning.log_id).run());
  if (beginning.clock_ahead > 0 && beginning.clock_wait > 0) {
    TRY(meta.bind(1, std::string_view("clock_ahead")).bind(2, beginning.clock_ahead).run());
    TRY(meta.bind(1, std::string_view("clock_wait")).bind(2, beginning.clock_wait).run());
  }
  return meta.bind(1, std::string_view("before")).bindBlob(2, base::view(beginning.head)).run();
}

Result<bool> LogFile::held() {
  return TRY(metaNumber(*database_, "hold")).value_or(0) != 0;
}

Status LogFile::putHold(bool on) {
  return database_->execute(on ? "INSERT OR REPLACE INTO meta VALUES ('hold', 1)"
                               : "DELETE FROM meta WHERE name = 'hold'");
}

Result<int64_t> LogFile::lease(int64_t last) {
  return leaseOf(*database_, path_, last);
}

Status LogFile::putLease(int64_t upto) {
  return lease_->bind(1, upto).run();
}

Result<std::vector<std::pair<std::string, std::string>>> LogFile::neededPolicies() {
  return policiesToCarry(*database_);
}

Status LogFile::rename(const std::string& name) {
  close();
  // Readers continue under its new name, so the files that belong to it are renamed too.
  for (const char* part : {"", "-wal", "-shm"}) {
    if (std::rename((path_ + part).c_str(), (name + part).c_str()) == 0 || errno == ENOENT) continue;
    return Error{path_ + part + " cannot be renamed: " + std::strerror(errno)};
  }
  return {};
}

}  // namespace yett::audit
