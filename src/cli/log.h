// `yett log`: reading the audit log, live or copied, in one file or in those that rotation has made.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/reader.h"
#include "audit/verifier.h"

namespace yett::cli {

struct LogOptions {
  std::vector<audit::LogRef> databases;  ///< in the order of the chain
  audit::Query query;
  std::string since, until;      ///< as written; see parseTime
  std::string format = "table";  ///< table, json or csv
  bool events = false;           ///< events in place of decisions
  std::vector<std::string> by;   ///< of stats: columns to group by
};

/// The audit database of a configuration and the files that rotation has closed beside it, without reading anything
/// else of the configuration.
Result<std::vector<audit::LogRef>> databasesOf(const std::string& config_file);
/// Times as written become those of the query.
Status resolveTimes(const std::string& since, const std::string& until, audit::Query& query);

/// Opens a file of a log that was listed; nothing, and a warning, where retention has deleted it since.
Result<std::optional<audit::Reader>> openListed(const audit::LogRef& file);

int logQuery(LogOptions options);
/// Follows the log until interrupted.
int logTail(LogOptions options);
/// All that fits, oldest first, without a limit.
int logExport(LogOptions options);
/// The same as ordinary tables in a database of their own, with a manifest that `key` (PEM, or "") signs.
int logExportTo(LogOptions options, const std::string& file, const std::string& key);
/// Whether such a database holds what was exported, and, where `key` (either half) is given, who signed that.
int logVerifyExport(const std::string& file, const std::string& key);
/// Counts: overall, or grouped.
int logStats(LogOptions options);
/// The whole story of one decision.
int logShow(const std::vector<audit::LogRef>& databases, const std::string& id, const std::string& format);

struct VerifyOptions {
  std::string key;                      ///< path of the key that must have signed, either half; "": any
  std::string config;                   ///< whose key it is where `key` is ""; "": nobody's
  std::string checkpoint;               ///< "seq:hash" of one that was saved elsewhere, or ""
  std::vector<std::string> lines = {};  ///< files that a sink wrote: they are proved in place of databases
};
/// What is expected of a log by these options.
Result<audit::Expected> expectedOf(const VerifyOptions& options);
int logVerify(const std::vector<audit::LogRef>& databases, const VerifyOptions& options, const std::string& format);

/// Of all files, most frequent first.
Result<std::vector<audit::Group>> groupsOf(const LogOptions& options, const std::vector<std::string>& by,
                                           int64_t limit);
/// One HTML file, to `file` or, where that is "", to stdout.
int logReport(LogOptions options, const VerifyOptions& verify, const std::string& file);

struct SqlOptions {
  std::string database;
  std::string statement;
  std::string format = "table";  ///< table, json or csv
  int64_t seconds = 60;          ///< that it may take
};
/// A statement over one file: `decisions`, `outcomes` and the plain tables.
int logSql(const SqlOptions& options);

struct EraseOptions {
  std::string database;
  std::string config;  ///< of the Yett that may be running; "": none is asked
  audit::Query query;
  std::string since, until;
  std::string why;
  bool yes = false;  ///< else only says what it would do
};
/// Erases personal fields: by the Yett that is running, through its admin socket, or else by itself.
int logErase(EraseOptions options);

/// "yett: what went wrong" on stderr; 2.
int failed(const Error& error);

}  // namespace yett::cli
