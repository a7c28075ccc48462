// The records of an audit log in order, from a position on, over the files that rotation has made. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "audit/record_stream.h"
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
  std::optional<audit::RecordStream> records_;
  int64_t position_ = 0;                     // of the last one that records_ gave
  std::optional<store::Statement> callers_;  // of events
};

}  // namespace yett::sink
