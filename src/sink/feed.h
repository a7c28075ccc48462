// The records of an audit log in order, from a position on, over the files that rotation has made. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "store/database.h"

namespace yett::sink {

/// A record as it leaves the machine.
struct Record {
  int64_t seq;
  int64_t time;        ///< microseconds since 1970
  std::string kind;    ///< "decision", "outcome", "event", "checkpoint", "heartbeat" or "log"
  std::string effect;  ///< of a decision
  std::string line;    ///< JSON, one line, without its end; docs/audit.md lists the fields
};

class Feed {
 public:
  explicit Feed(std::string database) : database_(std::move(database)) {}
  /// Up to so many after `position`; none: there are no more yet.
  Result<std::vector<Record>> after(int64_t position, size_t most);
  /// Tells this log from every other: hex.
  Result<std::string> logId();
  /// The number of the last record in the log.
  Result<int64_t> last();

 private:
  Status reopen(int64_t position);
  Result<std::vector<Record>> read(int64_t position, size_t most);
  std::string database_;
  std::string file_;  // that is open
  uint64_t inode_ = 0;
  std::optional<audit::Reader> reader_;
  std::vector<store::Statement> rows_;       // by audit::Kind; the links' at 0
  std::optional<store::Statement> callers_;  // of events; nothing in a file before version 3
};

}  // namespace yett::sink
