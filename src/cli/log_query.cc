// `yett log query`: the newest rows that match, and what an answer leaves out.
#include <algorithm>
#include <cstdint>
#include <iterator>

#include "audit/later_outcomes.h"
#include "cli/log.h"
#include "cli/log_rows.h"

namespace yett::cli {
namespace {

// The newest rows of all files that match, oldest first. `total` gets how many match, or -1 if they were not counted.
template <typename Row>
Result<std::vector<Row>> newest(const LogOptions& options, int64_t& total) {
  constexpr bool kDecisions = std::is_same_v<Row, audit::Row>;
  std::vector<Row> all;
  total = -1;
  audit::LaterOutcomes later(options.databases);
  audit::Query left = options.query;
  const bool by_status = kDecisions && !options.status.empty();
  if (by_status) left.limit = INT64_MAX;  // outcomes cannot be searched for
  for (size_t file = options.databases.size(); file-- > 0 && left.limit > 0;) {
    auto reader = TRY(openListed(options.databases[file]));
    if (!reader) continue;
    auto rows = TRY(rowsOf<Row>(*reader, left));
    if constexpr (kDecisions) {
      for (auto& row : rows) TRY(later.complete(file, row));
      std::erase_if(rows, [&](const auto& row) { return !fitsStatus(row, options.status); });
    }
    if (!by_status) left.limit -= static_cast<int64_t>(rows.size());
    all.insert(all.begin(), std::make_move_iterator(rows.begin()), std::make_move_iterator(rows.end()));
  }
  if (!by_status) return all;
  total = static_cast<int64_t>(all.size());
  if (total > options.query.limit) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(options.query.limit));
  return all;
}

// From when to when the decisions of the log are; "" if it has none.
Result<std::string> coveredBy(const LogOptions& options) {
  int64_t first = 0;
  int64_t last = 0;
  audit::Query one;
  one.limit = 1;
  for (const auto& database : options.databases) {
    auto reader = TRY(openListed(database));
    if (!reader) continue;
    one.newest = false;
    const auto oldest = TRY(reader->decisions(one));
    one.newest = true;
    const auto youngest = TRY(reader->decisions(one));
    if (first == 0 && !oldest.empty()) first = oldest.front().time;
    if (!youngest.empty()) last = youngest.front().time;
  }
  if (first == 0) return std::string();
  return shownTime(first) + " to " + shownTime(last);
}

// How many match, whatever the limit is.
Result<int64_t> countOf(const LogOptions& options) {
  int64_t count = 0;
  for (const auto& group : TRY(groupsOf(options, {}, INT64_MAX))) count += group.count;
  return count;
}

// Says on stderr what a table does not show: that there is more, or what the log covers.
template <typename Row>
Status tellRest(const LogOptions& options, const std::vector<Row>& shown, int64_t total) {
  if (shown.empty()) {
    const std::string covered = TRY(coveredBy(options));
    std::cerr << "yett: no record matches; "
              << (covered.empty() ? "the log has no decisions" : "the log covers " + covered) << "\n";
    return {};
  }
  const auto count = static_cast<int64_t>(shown.size());
  if (count < options.query.limit) return {};
  if (options.events) {
    std::cerr << "yett: the newest " << count << " are shown, there may be more: raise --limit\n";
    return {};
  }
  if (total < 0) total = TRY(countOf(options));
  if (total > count)
    std::cerr << "yett: the newest " << count << " of " << total << " are shown: --limit " << total << " shows all\n";
  return {};
}

template <typename Row>
Status query(const LogOptions& options) {
  TRY(checkStatus(options.status));
  int64_t total = -1;
  const auto all = TRY(newest<Row>(options, total));
  printRows(all, options, true);
  return options.format == "table" ? tellRest(options, all, total) : Status();
}

}  // namespace

Status checkStatus(const std::string& status) {
  const auto good = [](char c) { return (c >= '0' && c <= '9') || c == 'x'; };
  if (status.empty() ||
      (status.size() == 3 && status[0] >= '1' && status[0] <= '5' && good(status[1]) && good(status[2])))
    return {};
  return Error{"--status `" + status + "` is not a status: write 403 or 4xx"};
}

bool fitsStatus(const audit::Row& row, const std::string& wanted) {
  if (wanted.empty()) return true;
  const std::string status = std::to_string(row.status);
  return row.ended && status.size() == wanted.size() &&
         std::equal(wanted.begin(), wanted.end(), status.begin(), [](char w, char s) { return w == 'x' || w == s; });
}

int logQuery(LogOptions options) {
  if (auto ok = resolveTimes(options.since, options.until, options.query); !ok) return failed(ok.error());
  const auto done = options.events ? query<audit::EventRow>(options) : query<audit::Row>(options);
  return done ? 0 : failed(done.error());
}

}  // namespace yett::cli
