#include "audit/open_log.h"

#include "audit/log_schema.h"

namespace yett::audit {
namespace {

Result<int64_t> number(store::Database& db, std::string_view sql) {
  auto row = TRY(db.prepare(sql));
  return TRY(row.step()) ? row.integer(0) : 0;
}

Result<bool> isEmpty(store::Database& db) {
  return TRY(number(db, "PRAGMA user_version")) == 0 && TRY(number(db, "SELECT count(*) FROM sqlite_master")) == 0;
}

// Opens it under its current name. REQUIRES: the caller holds the rotation lock.
Result<store::Database> openNow(const LogRef& file) {
  const std::string live = liveName(file.path);
  const auto path = nameNow(file);
  if (!path) return Error{file.path + ": was deleted while the log was being read"};
  const bool copy = !isInPlace(live);
  return store::Database::open(*path, copy ? store::Database::Mode::kCopy : store::Database::Mode::kRead);
}

}  // namespace

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
  auto db = TRY(store::Database::open(path, store::Database::Mode::kWriteExisting));
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
