// The database of a log, as its writer has it: opened, begun, closed under a name of its own. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "audit/audit_config.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

/// Numbers are taken durably so many at once,
inline constexpr int64_t kLease = 100'000;
/// and never so many more than the last record has: with the largest batch, and with what was given up.
inline constexpr int64_t kMaxLeased = 20'000'000;

class LogFile {
 public:
  explicit LogFile(const std::string& path) : path_(path) {}

  /// Opens the file, or makes it. What was open before is closed first.
  Status open();
  void close();
  /// The file is still where it was opened, and no shorter: an error says what has become of it. What is written to a
  /// file that nobody can open any more is lost with the process.
  Status checkPlace();
  /// Notes, beside the database, that there is a log with this id from here on, and in which file.
  Status noteBegun(const std::string& log_id);
  /// The id of the log that was noted here, hex; "" where none was.
  std::string begunBefore() const;
  bool isOpen() const { return database_ != nullptr; }
  store::Database& database() { return *database_; }
  const std::string& path() const { return path_; }

  /// What this log is called: of the file, or where it has no record yet of the one before it, or a new one. Of a file
  /// that goes on from another, what it follows.
  struct Beginning {
    std::string log_id;
    int64_t seq = 0;                          // of the last record of the file before
    int64_t lease = 0;                        // numbers up to here were leased there
    base::Sha256 head{};                      // and its hash
    bool held = false;                        // it was on hold
    int64_t clock_ahead = 0, clock_wait = 0;  // what it says of the clock
  };
  Result<Beginning> beginning();
  /// Written once, with the first record.
  Status putBeginning(const Beginning& beginning);
  Result<std::string> logId();
  /// Whether the log is on hold.
  Result<bool> held();
  Status putHold(bool on);

  /// Sequence numbers up to here may be used, and are lost in a crash. `last`: that of the last record.
  Result<int64_t> lease(int64_t last);
  Status putLease(int64_t upto);

  /// The sources that the next file's first decisions need: those of the last decisions of this one, and the newest.
  Result<std::vector<std::pair<std::string, std::string>>> neededPolicies();
  /// Closes it and gives it a name of its own. REQUIRES: nothing is prepared on its database, and its write-ahead log
  /// is empty.
  Status rename(const std::string& name);

 private:
  struct Place {
    uint64_t device = 0, inode = 0;  // 0: not known yet
    int64_t size = 0;                // at the least
  };
  static Status checkPlace(const std::string& path, bool shrinks, Place& place);
  Status finishRename();
  const std::string path_;
  Place place_, wal_place_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<store::Statement> lease_;
};

}  // namespace yett::audit
