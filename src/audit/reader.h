// Reading the audit log, live or copied: never in the way of the writer. One thread.
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
  bool ended;   ///< the outcome is there
  int64_t status, bytes_in, bytes_out, duration_us;
  std::string upstream, result, shadow;
};

/// Of an outcome's fields by key.
void addOutcome(const Fields& outcome, Row& row);

struct EventRow {
  int64_t seq, time, count;
  std::string what, subject, detail;
  std::string caller, about;  ///< of one that a caller brought about
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
  /// Each that fits, oldest first, without keeping them; `limit` and `newest` say nothing. False from `take` ends it.
  Status each(const Query& query, const std::function<bool(Row&)>& take);
  /// By names of columns of `decisions` (groupable()), most frequent first.
  Result<std::vector<Group>> groups(const Query& query, const std::vector<std::string>& by);
  Result<std::vector<EventRow>> events(const Query& query);
  /// The numbers of the events that a caller brought about, and that are not erased: by time and principal; none where
  /// something else is asked for.
  Result<std::vector<int64_t>> callerEvents(const Query& query);
  /// The number of the first and last decision; 0 where there is none.
  Result<std::pair<int64_t, int64_t>> range();
  /// The source of a policy set, or "".
  Result<std::string> policySource(const std::string& digest);
  store::Database& database() { return *db_; }
  /// Records that retention has deleted while they were read, from the first to the last: they are in no answer.
  /// Told once.
  std::optional<std::pair<int64_t, int64_t>> takeGone() { return std::exchange(gone_, std::nullopt); }

 private:
  void noteGone(int64_t first, int64_t last);
  explicit Reader(store::Database db) : db_(std::make_unique<store::Database>(std::move(db))), source_(*db_) {}
  struct Moment;
  Result<Moment> look(int64_t from);
  /// Each block that may have what is searched for, oldest first, the open one last; also what comes meanwhile. False
  /// from `take` ends it.
  Status eachBlock(const Search& search,
                   const std::function<Result<bool>(BlockData&, const Moment&, int64_t last)>& take);

  std::unique_ptr<store::Database> db_;
  BlockSource source_;
  std::optional<std::pair<int64_t, int64_t>> gone_;
};

/// Columns of `decisions` that statistics may be grouped by.
const std::vector<std::string>& groupable();

}  // namespace yett::audit
