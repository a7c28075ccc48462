// Checks records other than decisions and outcomes: their plain tables, signatures, policy sources.
#pragma once

#include <string>

#include "audit/chain_check.h"
#include "audit/chain_walk.h"
#include "audit/table_walk.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

class RecordCheck {
 public:
  /// For the records from `first` to `last`. `out` gets what later checks need.
  static Result<RecordCheck> open(store::Database& db, int64_t first, int64_t last, const std::string& log_id,
                                  StretchResult& out);
  /// "" or what is wrong with it.
  Result<std::string> check(const ChainWalk::Step& step);
  /// The error for a row that has no record, with its number; or "".
  std::string leftover() const;

 private:
  RecordCheck(TableWalk events, TableWalk callers, TableWalk heartbeats, store::Statement policy, store::Statement rare,
              const std::string& log_id, StretchResult& out)
      : events_(std::move(events)),
        callers_(std::move(callers)),
        heartbeats_(std::move(heartbeats)),
        policy_(std::move(policy)),
        rare_(std::move(rare)),
        log_id_(&log_id),
        out_(&out) {}
  Result<std::string> checkRare(int64_t seq);
  Result<std::string> checkEvent(int64_t seq, Fields& fields);
  Result<std::string> checkCaller(int64_t seq, Fields& fields);
  std::string checkCheckpoint(const ChainWalk::Step& step);

  TableWalk events_, callers_, heartbeats_;
  store::Statement policy_;
  store::Statement rare_;  // numbers
  bool rare_row_ = false;
  const std::string* log_id_;
  StretchResult* out_;
  base::Sha256Hasher hasher_;
  Encoded personal_;
  std::string bytes_;
};

}  // namespace yett::audit
