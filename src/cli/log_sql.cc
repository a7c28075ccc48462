// `yett log sql`: runs the user's own statement over the log, read-only and with a time limit.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "audit/sql_tables.h"
#include "base/json.h"
#include "base/mutex.h"
#include "base/text.h"
#include "cli/log.h"
#include "cli/log_print.h"
#include "store/database.h"

namespace yett::cli {
namespace {

using Type = store::Statement::Type;

constexpr size_t kMaxBytes = 256 << 20;  // of a table, which is buffered to align its columns

Cell cellOf(const store::Statement& row, int column) {
  if (row.isNull(column)) return Cell::none();
  if (row.type(column) == Type::kInteger) return Cell(row.integer(column));
  if (row.type(column) == Type::kBlob) return Cell(base::hex(row.text(column)));
  return Cell(std::string(row.text(column)));
}

void printJson(const store::Statement& row) {
  std::string line;
  json::ObjectWriter w(line);
  for (int i = 0; i < row.columns(); ++i) {
    const std::string_view name = row.name(i);
    if (row.isNull(i)) w.raw(name, "null");
    else if (row.type(i) == Type::kInteger) w.field(name, row.integer(i));
    else w.field(name, cellOf(row, i).text);
  }
  w.end();
  std::cout << line << "\n";
}

// SQLite checks the clock only between steps of its virtual machine, and one step may take forever. Ending the process
// loses nothing: it only reads.
class Watchdog {
 public:
  explicit Watchdog(int64_t seconds)
      : thread_([this, seconds] {
          base::Lock lock(mutex_);
          const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds) + kGrace;
          if (changed_.waitUntil(lock, until, [this]() YETT_REQUIRES(mutex_) { return done_; })) return;
          (void)failed(tooLong(seconds));
          std::_Exit(2);
        }) {}
  ~Watchdog() {
    {
      const base::Lock lock(mutex_);
      done_ = true;
    }
    changed_.notifyAll();
    thread_.join();
  }
  static Error tooLong(int64_t seconds) {
    return Error{"the statement took longer than " + std::to_string(seconds) + " s: raise --seconds"};
  }

 private:
  static constexpr std::chrono::milliseconds kGrace{500};
  base::Mutex mutex_;
  base::Condition changed_;
  bool done_ YETT_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

Status run(const SqlOptions& options) {
  auto reader = TRY(audit::Reader::open(options.database));  // checks that it is a log of this version
  store::Database& db = reader.database();
  TRY(audit::addSqlTables(db));
  db.onlyRead(std::chrono::seconds(options.seconds));
  const Watchdog watchdog(options.seconds);
  std::string_view rest;
  auto row = TRY(db.prepare(options.statement, &rest));
  if (rest.find_first_not_of(" \t\r\n;") != std::string_view::npos)
    return Error{"only one statement is allowed: remove `" + base::printable(rest.substr(0, 80)) + "`"};
  if (row.columns() == 0) return Error{"the statement returns no rows: use a SELECT"};
  std::vector<std::string> names;
  for (int i = 0; i < row.columns(); ++i) names.emplace_back(base::printable(row.name(i)));
  std::vector<std::vector<std::string>> lines{names};
  size_t bytes = 0;
  if (options.format == "csv") std::cout << csvLine({names.begin(), names.end()});
  while (TRY(row.step())) {
    std::vector<Cell> cells;
    for (int i = 0; i < row.columns(); ++i) cells.push_back(cellOf(row, i));
    if (options.format == "json") {
      printJson(row);
    } else if (options.format == "csv") {
      std::cout << csvLine(cells);
    } else {
      for (const auto& cell : cells) bytes += sizeof cell + cell.text.size();
      if (bytes > kMaxBytes) return Error{"the table is larger than 256 MiB: use --format csv or json"};
      auto& line = lines.emplace_back();
      for (const auto& cell : cells) line.push_back(base::forTerminal(cell.text));
    }
    if (!std::cout) return {};
  }
  if (options.format == "table") printColumns(lines, {});
  std::cout.flush();
  return {};
}

}  // namespace

int logSql(const SqlOptions& options) {
  const auto done = run(options);
  if (done) return 0;
  const std::string& why = done.error().message;
  if (why.ends_with("interrupted")) return failed(Watchdog::tooLong(options.seconds));
  if (why.ends_with("not authorized")) return failed(Error{why + ": only reads of the log's tables are allowed"});
  return failed(done.error());
}

}  // namespace yett::cli
