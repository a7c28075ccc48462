// What makes a database an audit log that this Yett reads: its version, and its schema as Yett makes it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

inline constexpr int64_t kSchemaVersion = 4;

/// An error that begins with `name`, where it is no log, or one of another version.
Status checkVersion(store::Database& db, const std::string& name);
/// What in the schema is not as Yett makes it; "" where nothing is. It is printable.
Result<std::string> schemaWrong(store::Database& db);
/// Both of them.
Status checkIsLog(store::Database& db, const std::string& name);

}  // namespace yett::audit
