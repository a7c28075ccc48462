// `yett log query|tail|verify`: reading the audit database, live or copied.
#pragma once

#include <string>

#include "audit/reader.h"

namespace yett::cli {

struct LogOptions {
  std::string database;
  audit::Query query;
  std::string since, until;      ///< as written; see parseTime
  std::string format = "table";  ///< table or json
  bool events = false;           ///< events in place of decisions
};

/// "10m" (ago), "2026-11-21", "2026-11-21T12:00:00Z": microseconds since 1970, UTC.
Result<int64_t> parseTime(const std::string& text, int64_t now_micros);

/// The audit database of a configuration, without reading anything else of it.
Result<std::string> databaseOf(const std::string& config_file);

int logQuery(LogOptions options);
/// Follows the log until interrupted.
int logTail(LogOptions options);
struct VerifyOptions {
  std::string key;         ///< path of the key that must have signed, either half; "": any
  std::string checkpoint;  ///< "seq:hash" of one that was saved elsewhere, or ""
};
int logVerify(const std::string& database, const VerifyOptions& options, const std::string& format);

}  // namespace yett::cli
