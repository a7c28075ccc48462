// One stretch of a log, checked from its first link to its last. Several of them make a whole; verifier.cc joins them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "audit/record.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

/// What a stretch leaves to those who see the whole.
struct StretchResult {
  int64_t links = 0;
  int64_t first_seq = 0, last_seq = 0;
  int64_t gaps = 0;
  int64_t outcomes = 0;     ///< links that have a row
  std::string first_prev;   ///< what the first link says was before it
  bool begins_log = false;  ///< the first link is of kind 0
  std::string head;
  std::string broken;  ///< "" or what is wrong, and where
  struct Signed {
    int64_t seq;
    std::string key, next_key;
  };
  std::vector<Signed> checkpoints;
  struct Named {
    int64_t seq;
    std::string subject, detail;
    int64_t count;
  };
  std::vector<Named> events;    ///< that speak about other records; of policies those without a source
  std::vector<int64_t> erased;  ///< records without personal fields
};

/// Checks the links with first <= seq <= last. `log_id` is what checkpoints must sign. `progress` gets the number of
/// links since its last call.
Result<StretchResult> checkStretch(store::Database& db, int64_t first, int64_t last, const std::string& log_id,
                                   const std::function<void(int64_t)>& progress);

}  // namespace yett::audit
