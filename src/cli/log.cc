#include "cli/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <thread>

#include "audit/chain_writer.h"
#include "audit/later_outcomes.h"
#include "audit/log_files.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/log_print.h"
#include "cli/times.h"

namespace yett::cli {
namespace {

template <typename Row>
void print(const std::vector<Row>& rows, const LogOptions& options, bool with_header) {
  if (options.format == "table") return printTable(rows, with_header);
  if (options.format == "csv" && with_header) std::cout << (options.events ? csvEventHeader() : csvHeader());
  for (const auto& row : rows) std::cout << (options.format == "csv" ? asCsv(row) : asJson(row));
  std::cout.flush();
}

template <typename Row>
Result<std::vector<Row>> rowsOf(audit::Reader& reader, const audit::Query& query) {
  if constexpr (std::is_same_v<Row, audit::Row>) return reader.decisions(query);
  else return reader.events(query);
}

// The newest of all files, told oldest first.
template <typename Row>
Status query(const LogOptions& options) {
  std::vector<Row> all;
  audit::LaterOutcomes later(options.databases);
  audit::Query left = options.query;
  for (size_t file = options.databases.size(); file-- > 0 && left.limit > 0;) {
    auto reader = TRY(audit::Reader::open(options.databases[file]));
    auto rows = TRY(rowsOf<Row>(reader, left));
    if constexpr (std::is_same_v<Row, audit::Row>) {
      for (auto& row : rows) TRY(later.complete(file, row));
    }
    left.limit -= static_cast<int64_t>(rows.size());
    all.insert(all.begin(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  print(all, options, true);
  return {};
}

// Prints what is new and returns the highest sequence number seen.
template <typename Row>
Result<int64_t> follow(audit::Reader& reader, const LogOptions& options, bool first) {
  const auto rows = TRY(rowsOf<Row>(reader, options.query));
  print(rows, options, first);
  return rows.empty() ? options.query.after_seq : rows.back().seq;
}

uint64_t inodeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

int failed(const Error& error) {
  const std::string text = "yett: " + error.message;
  for (const auto line : base::split(text, '\n')) std::cerr << base::forTerminal(line) << "\n";
  return 2;
}

Status resolveTimes(const std::string& since, const std::string& until, audit::Query& query) {
  const int64_t now = base::wallMicros();
  if (!since.empty()) query.since = TRY(parseTime(since, now));
  if (!until.empty()) query.until = TRY(parseTime(until, now));
  if (query.since && query.until && *query.since >= *query.until)
    return Error{"--since `" + since + "` is not before --until `" + until + "`"};
  return {};
}

Result<std::vector<std::string>> databasesOf(const std::string& config_file) {
  const std::string text = TRY(base::readFile(config_file));
  auto parsed = json::parse(text, true);
  if (!parsed) return Error{config_file + ": " + parsed.error().message};
  const auto* audit = parsed.value().find("audit");
  const auto* database = audit != nullptr ? audit->find("database") : nullptr;
  if (database == nullptr || database->text.empty())
    return Error{config_file + ": has no /audit/database: name the log with --log"};
  return logFiles(base::relativeTo(config_file, database->text));
}

std::vector<std::string> logFiles(const std::string& database) {
  std::vector<std::string> out = audit::closedFiles(database);
  // For a moment, or after a stop in that moment, there is no live file.
  if (out.empty() || ::access(database.c_str(), F_OK) == 0) out.push_back(database);
  return out;
}

int logQuery(LogOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  const auto done = options.events ? query<audit::EventRow>(options) : query<audit::Row>(options);
  return done ? 0 : failed(done.error());
}

int logTail(LogOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  const std::string& path = options.databases.back();
  options.query.limit = 10;  // then all that is new, oldest first
  std::optional<audit::Reader> reader;
  uint64_t inode = 0;
  for (bool first = true;; first = false) {
    // Rotation puts a new file in its place; what the old one got last is read first.
    const bool moved = inodeOf(path) != inode;
    while (moved && reader) {
      auto rest = options.events ? follow<audit::EventRow>(*reader, options, false)
                                 : follow<audit::Row>(*reader, options, false);
      if (!rest || rest.value() == options.query.after_seq) break;
      options.query.after_seq = rest.value();
    }
    if (moved) {
      const auto lock = audit::RotationLock::shared(path);
      auto opened = audit::Reader::open(path);
      if (!opened) return failed(opened.error());
      inode = inodeOf(path);
      reader.emplace(std::move(opened).value());
    }
    auto seen =
        options.events ? follow<audit::EventRow>(*reader, options, first) : follow<audit::Row>(*reader, options, first);
    if (!seen) return failed(seen.error());
    options.query.after_seq = seen.value();
    options.query.limit = 1000;
    options.query.newest = false;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

int logExport(LogOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  if (options.events) {
    options.query.newest = false;
    options.query.limit = INT64_MAX;
    const auto done = query<audit::EventRow>(options);
    return done ? 0 : failed(done.error());
  }
  if (options.format == "csv") std::cout << csvHeader();
  audit::LaterOutcomes later(options.databases);
  for (size_t file = 0; file < options.databases.size(); ++file) {
    auto reader = audit::Reader::open(options.databases[file]);
    if (!reader) return failed(reader.error());
    Status completed;
    auto done = reader.value().each(options.query, [&](audit::Row& row) {
      completed = later.complete(file, row);
      if (completed) std::cout << (options.format == "csv" ? asCsv(row) : asJson(row));
      return completed && std::cout;
    });
    if (done) done = std::move(completed);
    if (!done) return failed(done.error());
  }
  std::cout.flush();
  return 0;
}

}  // namespace yett::cli
