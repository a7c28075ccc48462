#include "audit/log_schema.h"

#include "audit/audit_schema.h"
#include "base/text.h"

namespace yett::audit {
namespace {

// ": ..." saying what is wrong with a file of another version.
std::string otherVersion(int64_t version) {
  if (version < 1 || version > 99) return ": is not an audit log";
  return ": is an audit log of version " + std::to_string(version) + ", but this yett reads only version " +
         std::to_string(kSchemaVersion) + ": read it with the yett that wrote it";
}

Result<int64_t> versionOf(store::Database& db) {
  auto row = TRY(db.prepare("PRAGMA user_version"));
  return TRY(row.step()) ? row.integer(0) : 0;
}

}  // namespace

Status checkVersion(store::Database& db, const std::string& name) {
  const auto version = versionOf(db);
  if (!version) return Error{name + ": is not an audit log: " + version.error().message};
  if (version.value() != kSchemaVersion) return Error{name + otherVersion(version.value())};
  return {};
}

Result<std::string> schemaWrong(store::Database& db) {
  return base::printable(TRY(db.schemaDiffers(kAuditSchema1, kSchemaVersion)));
}

Status checkIsLog(store::Database& db, const std::string& name) {
  TRY(checkVersion(db, name));
  const std::string wrong = TRY(schemaWrong(db));
  return wrong.empty() ? Status{} : Error{name + ": its schema was changed: " + wrong};
}

}  // namespace yett::audit
