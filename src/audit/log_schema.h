// Checks that a database is an audit log that this Yett can read: its version and its schema.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

inline constexpr int64_t kSchemaVersion = 4;

/// An error that begins with `name` if it is not a log, or has another version.
Status checkVersion(store::Database& db, const std::string& name);
/// How the schema differs from Yett's, in printable form; "" if it does not.
Result<std::string> schemaWrong(store::Database& db);
/// Both checks.
Status checkIsLog(store::Database& db, const std::string& name);

}  // namespace yett::audit
