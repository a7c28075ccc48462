// Records that a sink refused for good, each with the reason, in a file beside the database: for people to look at. As
// long as the file is there, retention keeps what it names; whoever has dealt with it moves the file away.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sink/record_line.h"

namespace yett::sink {

/// One thread.
class DeadLetters {
 public:
  /// `file` may hold some from earlier.
  explicit DeadLetters(std::string file);
  /// Adds a line `{"why":...,"record":...}`; on disk when it returns.
  Status add(const Record& record, const std::string& why);
  /// The number of the first record in the file; INT64_MAX: there is none.
  int64_t first();
  const std::string& file() const { return file_; }

 private:
  const std::string file_;
  uint64_t inode_ = 0;  // of the file whose first record is known
  int64_t first_ = INT64_MAX;
};

/// Where those of a sink are.
std::string deadLetterFile(const std::string& database, const std::string& sink);

}  // namespace yett::sink
