// Checks a stretch of a log: rebuilds the chain from the blocks, and checks that all data that queries read agrees.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "audit/key_check.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

/// What a stretch reports to the check of the whole log.
struct StretchResult {
  int64_t records = 0;
  int64_t first_seq = 0, last_seq = 0;
  int64_t gaps = 0;
  std::string first_prev;   ///< the hash that the first record follows, as its block says
  bool begins_log = false;  ///< the first record is of kind 0
  std::string writer;       ///< who began the log or file, if it begins here
  std::string head;         ///< hash of the last record, hex
  std::string broken;       ///< "" or what is wrong, and where
  std::vector<Signed> checkpoints;
  struct Named {
    int64_t seq;
    std::string subject, detail;
    int64_t count;
  };
  std::vector<Named> events;    ///< events about other records, and policy events whose source is missing
  std::vector<int64_t> erased;  ///< records without personal fields
};

/// The records with from <= number <= to, in whole blocks, and the open block if `open`.
struct StretchOf {
  int64_t from = 0, to = INT64_MAX;
  bool open = true;
};

/// `log_id` is what checkpoints must sign. `progress` gets the number of records since its last call.
Result<StretchResult> checkStretch(store::Database& db, const StretchOf& of, const std::string& log_id,
                                   const std::function<void(int64_t)>& progress);

}  // namespace yett::audit
