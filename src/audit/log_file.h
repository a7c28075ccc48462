// The database of a log, for its writer: opens it, begins it, and renames it once it is closed. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "audit/audit_config.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

/// How many sequence numbers are leased durably at once.
inline constexpr int64_t kLease = 100'000;
/// Leased numbers are never further beyond the last record, even with the largest batch and dropped records.
inline constexpr int64_t kMaxLeased = 20'000'000;

class LogFile {
 public:
  explicit LogFile(const std::string& path) : path_(path) {}

  /// Opens or creates the file. A file that was open is closed first.
  Status open();
  void close();
  /// Checks that the file is still where it was opened, and no shorter; an error says what happened to it. Data written
  /// to a file that nobody can open any more is lost when the process ends.
  Status checkPlace();
  /// Records next to the database that a log with this id exists, and in which file.
  Status noteBegun(const std::string& log_id);
  /// The log id that noteBegun() recorded here, hex; "" if none.
  std::string begunBefore() const;
  bool isOpen() const { return database_ != nullptr; }
  store::Database& database() { return *database_; }
  const std::string& path() const { return path_; }

  /// How a file without records begins. If it continues a closed file: that file's log id, and what the first record
  /// follows. Otherwise only a new log id.
  struct Beginning {
    std::string log_id;
    int64_t seq = 0;                          // of the last record of the previous file
    int64_t lease = 0;                        // numbers up to here were leased there
    base::Sha256 head{};                      // the hash of that record
    bool held = false;                        // the log was on hold
    int64_t clock_ahead = 0, clock_wait = 0;  // its state of the clock
  };
  Result<Beginning> beginning();
  /// Written once, with the first record.
  Status putBeginning(const Beginning& beginning);
  Result<std::string> logId();
  /// Whether the log is on hold.
  Result<bool> held();
  Status putHold(bool on);

  /// Sequence numbers up to this one may be used; a crash loses them. `last`: the number of the last record.
  Result<int64_t> lease(int64_t last);
  Status putLease(int64_t upto);

  /// The policy sources that the first decisions of the next file need: those of the last decisions in this file, and
  /// the newest.
  Result<std::vector<std::pair<std::string, std::string>>> neededPolicies();
  /// Closes the file and renames it, with its write-ahead log. REQUIRES: no prepared statement on its database is left.
  Status rename(const std::string& name);

 private:
  struct Place {
    uint64_t device = 0, inode = 0;  // 0: not known yet
    int64_t size = 0;                // the minimum
  };
  static Status checkPlace(const std::string& path, bool shrinks, Place& place);
  Status finishRename();
  const std::string path_;
  Place place_, wal_place_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::Statement> lease_;
};

}  // namespace yett::audit
