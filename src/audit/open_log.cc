#include "audit/open_log.h"

#include <algorithm>

#include "audit/audit_schema.h"
#include "audit/block_source.h"
#include "base/text.h"

namespace yett::audit {
namespace {

Result<int64_t> number(store::Database& db, std::string_view sql) {
  auto row = TRY(db.prepare(sql));
  return TRY(row.step()) ? row.integer(0) : 0;
}

Result<bool> isEmpty(store::Database& db) {
  return TRY(number(db, "PRAGMA user_version")) == 0 && TRY(number(db, "SELECT count(*) FROM sqlite_master")) == 0;
}

Status checkVersion(store::Database& db, const std::string& path) {
  const auto version = number(db, "PRAGMA user_version");
  if (!version) return Error{path + ": is no audit log: " + version.error().message};
  if (version.value() != kSchemaVersion) return Error{path + otherVersion(version.value())};
  return {};
}

Result<std::string> schemaWrong(store::Database& db) {
  return base::printable(TRY(db.schemaDiffers(kAuditSchema1, kSchemaVersion)));
}

// Under the name that it has now, which nothing changes meanwhile.
Result<store::Database> openNow(const LogRef& file) {
  const std::string live = liveName(file.path);
  std::string path = file.path;
  if (file.inode != 0) {
    const auto files = logFiles(live);
    const auto found =
        std::find_if(files.begin(), files.end(), [&](const LogRef& known) { return known.inode == file.inode; });
    if (found == files.end()) return Error{path + ": was deleted while the log was read"};
    path = found->path;
  }
  const bool copy = !isInPlace(live);
  return store::Database::open(path, copy ? store::Database::Mode::kCopy : store::Database::Mode::kRead);
}

}  // namespace

Status checkIsLog(store::Database& db, const std::string& path) {
  TRY(checkVersion(db, path));
  const std::string wrong = TRY(schemaWrong(db));
  return wrong.empty() ? Status{} : Error{path + ": its schema was changed: " + wrong};
}

Result<store::Database> openLog(const LogRef& file) {
  const auto lock = RotationLock::shared(liveName(file.path));
  auto db = TRY(openNow(file));
  TRY(checkIsLog(db, file.path));
  return db;
}

Result<store::Database> openClosedToRead(const std::string& path) {
  auto db = TRY(store::Database::open(path, store::Database::Mode::kRead));
  TRY(checkIsLog(db, path));
  return db;
}

Result<store::Database> openClosedLog(const std::string& path) {
  auto db = TRY(store::Database::open(path, store::Database::Mode::kWrite));
  TRY(checkIsLog(db, path));
  return db;
}

Result<Judged> openToJudge(const LogRef& file) {
  const std::string& path = file.path;
  const auto lock = RotationLock::shared(liveName(path));
  Judged out{TRY(openNow(file))};
  TRY(out.db.execute("BEGIN"));
  if (const auto empty = isEmpty(out.db); empty && empty.value()) return out;
  TRY(checkVersion(out.db, path));
  out.wrong = TRY(schemaWrong(out.db));
  if (!out.wrong.empty()) return out;
  for (const char* table :
       {"blocks", "tail", "rare", "events", "event_callers", "heartbeats", "policies", "erased", "meta"}) {
    if (TRY(number(out.db, std::string("SELECT EXISTS (SELECT 1 FROM ") + table + ")")) != 0) out.has_rows = true;
  }
  return out;
}

}  // namespace yett::audit
