// Reads the audit log, live or copied, without blocking the writer. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "audit/log_files.h"
#include "audit/query.h"
#include "audit/record.h"
#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

struct Row {
  int64_t seq, time;
  std::string id, listener, route, principal, method, host, path, raw_target, effect, policy, rule, reason, errors,
      engine, policy_digest, reads, would_deny, protocol, source;
  int64_t eval_ns;
  bool cached;
  bool erased;  ///< its personal fields are gone
  bool ended;   ///< it has an outcome
  int64_t status, bytes_in, bytes_out, duration_us;
  std::string upstream, result, shadow;
};

/// Adds an outcome, from its fields by key.
void addOutcome(const Fields& outcome, Row& row);

struct EventRow {
  int64_t seq, time, count;
  std::string what, subject, detail;
  std::string caller, about;  ///< of an event caused by a caller
  bool erased;                ///< these two are gone
};

/// A line of statistics.
struct Group {
  std::vector<std::string> key;  ///< the value of each column that was grouped by
  int64_t count = 0, denied = 0, errors = 0;
  int64_t first = 0, last = 0;  ///< microseconds
};

class Reader {
 public:
  static Result<Reader> open(const LogRef& file);
  Result<std::vector<Row>> decisions(const Query& query);
  /// Passes each match to `take`, oldest first, and keeps none; ignores `limit` and `newest`. Ends if `take` returns
  /// false.
  Status each(const Query& query, const std::function<bool(Row&)>& take);
  /// Groups by columns of `decisions` (see groupable()), most frequent first.
  Result<std::vector<Group>> groups(const Query& query, const std::vector<std::string>& by);
  Result<std::vector<EventRow>> events(const Query& query);
  /// The numbers of the events caused by a caller that are not erased, by time and principal; none if the query has
  /// other conditions.
  Result<std::vector<int64_t>> callerEvents(const Query& query);
  /// The numbers of the first and last decision; 0 if there is none.
  Result<std::pair<int64_t, int64_t>> range();
  /// The source of a policy set, or "".
  Result<std::string> policySource(const std::string& digest);
  store::Database& database() { return *db_; }
  /// The first and last record that retention deleted during reading, so that they are missing from the results.
  /// Returned once.
  std::optional<std::pair<int64_t, int64_t>> takeGone() { return std::exchange(gone_, std::nullopt); }

 private:
  void noteGone(int64_t first, int64_t last);
  explicit Reader(store::Database db) : db_(std::make_unique<store::Database>(std::move(db))), source_(*db_) {}
  struct Moment;
  Result<Moment> look(int64_t from);
  /// Passes each block that may have a match to `take`, oldest first, the open one last, with blocks written meanwhile.
  /// Ends if `take` returns false.
  Status eachBlock(const Search& search,
                   const std::function<Result<bool>(BlockData&, const Moment&, int64_t last)>& take);

  std::unique_ptr<store::Database> db_;
  BlockSource source_;
  std::optional<std::pair<int64_t, int64_t>> gone_;
};

/// Columns of `decisions` that statistics may be grouped by.
const std::vector<std::string>& groupable();

}  // namespace yett::audit
