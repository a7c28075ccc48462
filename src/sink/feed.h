// The records of an audit log in order, from a position on, across rotated files. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "audit/reader.h"
#include "audit/record_stream.h"
#include "sink/record_line.h"
#include "store/database.h"

namespace yett::sink {

class Feed {
 public:
  /// `proof`: each line includes its proof.
  Feed(std::string database, bool proof) : database_(std::move(database)), proof_(proof) {}
  /// Up to `most` records after `position`; none: there are no more yet.
  Result<std::vector<Record>> after(int64_t position, size_t most);
  /// The id that is unique to this log, hex.
  Result<std::string> logId();
  /// The number of the last record in the log.
  Result<int64_t> last();

 private:
  Status reopen(int64_t position);
  Result<std::vector<Record>> read(int64_t position, size_t most);
  Result<Record> lineOf(const audit::ChainWalk::Step& step);
  Status readCaller(int64_t seq, audit::Fields& fields, std::string& salt, std::string& personal);
  std::string database_;
  bool proof_;
  std::string log_id_;
  std::string file_;  // the open one
  uint64_t inode_ = 0;
  std::optional<audit::Reader> reader_;
  std::optional<audit::RecordStream> records_;
  int64_t position_ = 0;                     // of the last record that records_ returned
  std::optional<store::Statement> callers_;  // of events
  std::string caller_, about_;               // of one event
};

}  // namespace yett::sink
