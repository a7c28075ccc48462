// Deletes the oldest records, by age and by size, in slices between batches. First, an event and a checkpoint name what
// is deleted, so that the remaining records can still be verified.
#pragma once

#include <vector>

#include "audit/audit_config.h"
#include "audit/chain_writer.h"
#include "store/database.h"

namespace yett::audit {

/// The event of a deletion: its detail is "through SEQ HASH", the last link that may be gone.
inline constexpr std::string_view kRetentionEvent = "retention";

/// Used on the writer's thread.
class Retention {
 public:
  explicit Retention(const AuditConfig& config) : config_(config) {}
  /// Deletes one slice of records up to `deletable`, if any are due. True: there is more to delete.
  Result<bool> step(ChainWriter& chain, int64_t deletable);
  /// The log has reached its size limit, but no record is old enough to delete: no more may be written.
  bool full() const { return full_; }
  /// The wall clock was set by this many microseconds. A step forward may be wrong: the age of records ignores it for a
  /// day of running, or until the clock is set back by as much, even across restarts.
  void onClockSet(int64_t step);
  /// Saves the doubted clock steps in the log; the first call loads them.
  Status keepClock(ChainWriter& chain, bool now = false);
  /// The database is larger than `rotate_size`.
  bool wantsNewFile(ChainWriter& chain) const;

 private:
  Result<int64_t> oldestOfSize(ChainWriter& chain, int64_t deletable);
  Result<int64_t> through(ChainWriter& chain, int64_t deletable);
  Status announce(ChainWriter& chain, int64_t through, const std::string& hash, bool keep);
  Status closeOld(ChainWriter& chain, int64_t older_than);
  Result<int64_t> setWhileStopped(ChainWriter& chain);
  int64_t trustedNow() const;
  int64_t ahead() const;
  Result<bool> slice(ChainWriter& chain, int64_t deletable);
  Result<bool> deleteSlice(ChainWriter& chain);
  Result<bool> deleteClosed(ChainWriter& chain, const std::string& file, int64_t deletable);

  const AuditConfig config_;
  int64_t looked_at_ = 0;  // steady nanoseconds
  /// By how much the clock was set forward, and when that is trusted: in microseconds since boot.
  struct Step {
    int64_t size, until;
  };
  std::vector<Step> steps_;  // oldest first; kept in the log
  bool clock_read_ = false;
  bool full_ = false;
  int64_t announced_ = 0;  // the last record of a closed file that will be deleted
  int64_t deleting_ = 0;   // delete through this record; 0: nothing to do
};

}  // namespace yett::audit
