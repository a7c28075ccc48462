// `yett log`: reads the audit log, live or copied, in one file or in several after rotation.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/reader.h"
#include "audit/verifier.h"
#include "cli/command.h"

namespace yett::cli {

struct LogOptions {
  std::vector<audit::LogRef> databases;  ///< in the order of the chain
  audit::Query query;
  std::string since, until;      ///< as written; see parseTime
  std::string format = "table";  ///< table, json or csv
  bool events = false;           ///< events instead of decisions
  std::vector<std::string> by;   ///< for stats: columns to group by
  std::string status = {};       ///< of the answer: "403", "5xx"; "": any
};

/// The audit database of a configuration and the files next to it that rotation has closed. Reads nothing else from
/// the configuration.
Result<std::vector<audit::LogRef>> databasesOf(const std::string& config_file);
/// Parses `since` and `until` into the query.
Status resolveTimes(const std::string& since, const std::string& until, audit::Query& query);

/// Opens a listed log file. If retention has deleted it since it was listed, warns and returns nothing.
Result<std::optional<audit::Reader>> openListed(const audit::LogRef& file);

int logQuery(LogOptions options);
/// Follows the log until interrupted.
int logTail(LogOptions options);
/// Everything that matches, oldest first, without a limit.
int logExport(LogOptions options);
/// The same as plain tables in a new database, with a manifest signed by `key` (PEM file; "": unsigned).
int logExportTo(LogOptions options, const std::string& file, const std::string& key);
/// Verifies that such a database holds what was exported and, if `key` (public or private) is given, who signed it.
int logVerifyExport(const std::string& file, const std::string& key);
/// Counts: overall, or grouped.
int logStats(LogOptions options);
/// The whole story of one decision.
int logShow(const std::vector<audit::LogRef>& databases, const std::string& id, const std::string& format);

struct VerifyOptions {
  std::string key;                      ///< path of the required signing key, public or private; "": any
  std::string config;                   ///< if `key` is "", the configuration with the required key; "": none
  std::string checkpoint;               ///< "seq:hash" of a checkpoint that was saved elsewhere, or ""
  std::vector<std::string> lines = {};  ///< files that a sink wrote; verified instead of databases
};
/// What these options require of a log.
Result<audit::Expected> expectedOf(const VerifyOptions& options);
int logVerify(const std::vector<audit::LogRef>& databases, const VerifyOptions& options, const std::string& format);

/// Groups over all files, most frequent first.
Result<std::vector<audit::Group>> groupsOf(const LogOptions& options, const std::vector<std::string>& by,
                                           int64_t limit);
/// Writes one HTML report to `file`, or to stdout if `file` is "".
int logReport(LogOptions options, const VerifyOptions& verify, const std::string& file);

struct SqlOptions {
  std::string database;
  std::string statement;
  std::string format = "table";  ///< table, json or csv
  int64_t seconds = 60;          ///< time limit
};
/// Runs a statement over one file: `decisions`, `outcomes` and the plain tables.
int logSql(const SqlOptions& options);

struct EraseOptions {
  std::string database;
  std::string config;  ///< of the Yett that may be running; "": contacts none
  audit::Query query;
  std::string since, until;
  std::string why;
  bool yes = false;  ///< false: only reports what it would do
};
/// Erases personal fields: through the admin socket of the running Yett, or directly if none is running.
int logErase(EraseOptions options);

}  // namespace yett::cli
