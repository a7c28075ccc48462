// The words of the command line: each command adds its own, with its options, and says what to do when it is chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/reader.h"

namespace yett::cli {

/// What the chosen command does; its exit code: 0, 1 where the answer is no, 2 where it could not be done.
using Action = std::function<int()>;

// One for each command; `action` is set when it was chosen.
void addCheck(CLI::App& app, Action& action);
void addTest(CLI::App& app, Action& action);
void addEval(CLI::App& app, Action& action);
void addLog(CLI::App& app, Action& action);
void addReplay(CLI::App& app, Action& action);
void addSuggest(CLI::App& app, Action& action);
void addCerts(CLI::App& app, Action& action);
void addAdmin(CLI::App& app, Action& action);
void addInit(CLI::App& app, Action& action);

// Options that several commands have.

/// -c, --config.
void addConfig(CLI::App& command, std::string& config);

/// Which logs a command reads.
struct LogSource {
  std::string config;
  std::vector<std::string> named;   ///< as given; none: those of the configuration
  std::vector<audit::LogRef> logs;  ///< filled in by withLogs()
};
void addLogSource(CLI::App& command, LogSource& source);
/// Finds the logs, and puts `query` into the form of records.
int withLogs(LogSource& source, audit::Query& query, const Action& then);

/// The first of `known` is the default.
void addFormat(CLI::App& command, std::string& format, const std::vector<std::string>& known);
void addTimes(CLI::App& command, std::string& since, std::string& until);
/// `rules`: also by the policy and rule that decided.
void addFilters(CLI::App& command, audit::Query& query, bool rules);

}  // namespace yett::cli
