// The commands of the command line: each registers its name and options, and the action to run when it is chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/reader.h"

namespace yett::cli {

/// Runs the chosen command. Exit code: 0 for success, 1 if the answer is no, 2 if it could not run.
using Action = std::function<int()>;

// One per command; each sets `action` when its command is chosen.
void addCheck(CLI::App& app, Action& action);
void addTest(CLI::App& app, Action& action);
void addEval(CLI::App& app, Action& action);
void addLog(CLI::App& app, Action& action);
void addReplay(CLI::App& app, Action& action);
void addSuggest(CLI::App& app, Action& action);
void addCerts(CLI::App& app, Action& action);
void addAdmin(CLI::App& app, Action& action);
void addInit(CLI::App& app, Action& action);

/// Prints "yett: ERROR" to stderr; returns 2.
int failed(const Error& error);

// Options that several commands have.

/// -c, --config.
void addConfig(CLI::App& command, std::string& config);

/// Which logs a command reads.
struct LogSource {
  std::string config;
  std::vector<std::string> named;   ///< as given; empty: the configured logs
  std::vector<audit::LogRef> logs;  ///< filled in by withLogs()
};
void addLogSource(CLI::App& command, LogSource& source);
/// Finds the logs, converts `query` to the form used in records, then runs `then`.
int withLogs(LogSource& source, audit::Query& query, const Action& then);

/// The first of `known` is the default.
void addFormat(CLI::App& command, std::string& format, const std::vector<std::string>& known);
void addTimes(CLI::App& command, std::string& since, std::string& until);
/// `rules`: adds filters by the policy and rule that decided.
void addFilters(CLI::App& command, audit::Query& query, bool rules);

}  // namespace yett::cli
