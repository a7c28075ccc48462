#include "cli/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
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
#include "cli/log_rows.h"
#include "cli/times.h"

namespace yett::cli {
namespace {

// Passes each matching row of a file to `take`, oldest first. Events are read in pages of 1000.
Status eachRow(audit::Reader& reader, const audit::Query& query, const std::function<bool(audit::Row&)>& take) {
  return reader.each(query, take);
}

Status eachRow(audit::Reader& reader, audit::Query query, const std::function<bool(audit::EventRow&)>& take) {
  query.limit = 1000;
  for (;;) {
    auto rows = TRY(reader.events(query));
    for (auto& row : rows) {
      if (!take(row)) return {};
    }
    if (static_cast<int64_t>(rows.size()) < query.limit) return {};
    query.after_seq = rows.back().seq;
  }
}

void warnOfGone(audit::Reader& reader) {
  if (const auto gone = reader.takeGone())
    std::cerr << "yett: warning: retention has deleted records " << gone->first << " to " << gone->second
              << " while they were read: they are missing here\n";
}

constexpr size_t kTogether = 256;  // rows printed at once

// Follows a log across rotations.
template <typename Row>
class Tail {
 public:
  explicit Tail(const LogOptions& options)
      : options_(options), database_(audit::liveName(options.databases.back().path)) {}

  int run() {
    audit::Query& query = options_.query;
    query.limit = 10;  // afterwards everything new, oldest first
    auto ok = begin();
    query.newest = false;
    query.limit = INT64_MAX;
    while (ok && std::cout) {
      ok = more();
      std::cout.flush();
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return ok ? 0 : failed(ok.error());
  }

 private:
  Status begin() {
    const auto files = audit::logFiles(database_);
    live_ = files.back();
    reader_.emplace(TRY(audit::Reader::open(live_)));
    const int64_t end = TRY(audit::BlockSource(reader_->database()).end()).first;
    const auto rows = TRY(rowsOf<Row>(*reader_, options_.query));
    printRows(rows, options_, true);
    seen_ = rows.empty() ? end : rows.back().seq;
    return {};
  }

  Status more() {
    if (audit::refTo(database_).inode != live_.inode) TRY(move());
    return show(*reader_);
  }

  // Rotation has replaced the live file, maybe several times.
  Status move() {
    TRY(show(*reader_));
    bool after = false;
    for (const auto& file : audit::logFiles(database_)) {
      const bool known = file.inode == live_.inode;
      if (!after && !known) continue;
      after = true;
      if (!known) TRY(enter(file));
    }
    if (after) return {};
    // Even the file that was read last is gone.
    const auto files = audit::logFiles(database_);
    reader_.emplace(TRY(audit::Reader::open(files.front())));
    const int64_t first = TRY(audit::BlockSource(reader_->database()).first());
    if (first > seen_ + 1)
      std::cerr << "yett: records " << seen_ + 1 << " to " << first - 1 << " were deleted before they were shown\n";
    for (const auto& file : files) TRY(enter(file));
    return {};
  }

  Status enter(const audit::LogRef& file) {
    live_ = file;
    reader_.emplace(TRY(audit::Reader::open(file)));
    return show(*reader_);
  }

  Status show(audit::Reader& reader) {
    options_.query.after_seq = seen_;
    std::vector<Row> rows;
    const auto tell = [&] {
      printRows(rows, options_, false);
      rows.clear();
      return static_cast<bool>(std::cout);
    };
    auto done = eachRow(reader, options_.query, [&](Row& row) {
      seen_ = row.seq;
      rows.push_back(std::move(row));
      return rows.size() < kTogether || tell();
    });
    tell();
    warnOfGone(reader);
    return done;
  }

  LogOptions options_;
  const std::string database_;
  audit::LogRef live_{""};
  std::optional<audit::Reader> reader_;
  int64_t seen_ = 0;
};

}  // namespace

Result<std::optional<audit::Reader>> openListed(const audit::LogRef& file) {
  auto reader = audit::Reader::open(file);
  if (reader) return std::optional<audit::Reader>(std::move(reader).value());
  if (audit::nameNow(file)) return std::move(reader).error();
  std::cerr << "yett: warning: " << base::forTerminal(file.path)
            << ": retention has deleted this file: its records are missing here\n";
  return std::optional<audit::Reader>();
}

Status resolveTimes(const std::string& since, const std::string& until, audit::Query& query) {
  const int64_t now = base::wallMicros();
  if (!since.empty()) query.since = TRY(parseTime(since, now));
  if (!until.empty()) query.until = TRY(parseTime(until, now));
  if (query.since && query.until && *query.since >= *query.until)
    return Error{"--since `" + since + "` is not before --until `" + until + "`"};
  return {};
}

Result<std::vector<audit::LogRef>> databasesOf(const std::string& config_file) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(config_file, error)))
    return Error{config_file +
                 ": there is no such file: name the log with --log FILE, or the configuration with -c FILE or "
                 "YETT_CONFIG"};
  const std::string text = TRY(base::readFile(config_file));
  auto parsed = json::parse(text, true);
  if (!parsed) return Error{config_file + ": " + parsed.error().message};
  const auto* audit = parsed.value().find("audit");
  const auto* database = audit != nullptr ? audit->find("database") : nullptr;
  if (database == nullptr || database->text.empty())
    return Error{config_file + ": has no /audit/database: name the log with --log"};
  return audit::logFiles(base::relativeTo(config_file, database->text));
}

int logTail(LogOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  return options.events ? Tail<audit::EventRow>(options).run() : Tail<audit::Row>(options).run();
}

int logExport(LogOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  if (options.events) {
    options.query.newest = false;
    options.query.limit = INT64_MAX;
    options.format = options.format == "table" ? "json" : options.format;
    return logQuery(options);
  }
  if (auto ok = checkStatus(options.status); !ok) return failed(ok.error());
  if (options.format == "csv") std::cout << csvHeader();
  audit::LaterOutcomes later(options.databases);
  for (size_t file = 0; file < options.databases.size(); ++file) {
    auto opened = openListed(options.databases[file]);
    if (!opened) return failed(opened.error());
    if (!opened.value()) continue;
    audit::Reader& reader = *opened.value();
    Status completed;
    auto done = reader.each(options.query, [&](audit::Row& row) {
      completed = later.complete(file, row);
      if (completed && !fitsStatus(row, options.status)) return true;
      if (completed) std::cout << (options.format == "csv" ? asCsv(row) : asJson(row));
      return completed && std::cout;
    });
    warnOfGone(reader);
    if (done) done = std::move(completed);
    if (!done) return failed(done.error());
  }
  std::cout.flush();
  return 0;
}

}  // namespace yett::cli
