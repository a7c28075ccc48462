// Deletes the oldest records, by age and by size, in slices between batches. What goes is covered first by an event and
// a checkpoint, so that what stays can still be proved.
#pragma once

#include <vector>

#include "audit/audit_config.h"
#include "audit/chain_writer.h"
#include "store/database.h"

namespace yett::audit {

/// The event: its detail is "through SEQ HASH", the last link that may be gone.
inline constexpr std::string_view kRetentionEvent = "retention";

/// The writer's thread.
class Retention {
 public:
  explicit Retention(const AuditConfig& config) : config_(config) {}
  /// One slice, where there is something to delete, of records up to `deletable`. True: there is more.
  Result<bool> step(ChainWriter& chain, int64_t deletable);
  /// The log has the size at which records go, and none is old enough: no more may be written.
  bool full() const { return full_; }
  /// The wall clock was set by so many microseconds. Forward: who knows whether that is right? It does not count for
  /// the age of records for a day of running, or until it is set back by as much, restarts or not.
  void onClockSet(int64_t step);
  /// Notes in the log what is thought of the clock, or reads it there.
  Status keepClock(ChainWriter& chain, bool now = false);
  /// The database has grown over the size at which a new file goes on.
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
  /// By how much the clock was set forward, and when that is believed: microseconds since the machine was started.
  struct Step {
    int64_t size, until;
  };
  std::vector<Step> steps_;  // oldest first; kept in the log
  bool clock_read_ = false;
  bool full_ = false;
  int64_t announced_ = 0;  // the last record of a closed file that is to go
  int64_t deleting_ = 0;   // through this record; 0: nothing to do
};

}  // namespace yett::audit
