// Records that a sink permanently refused, each with the reason, in a file next to the database for an operator to
// review. While the file exists, retention keeps the records that it names; the operator moves it away when done.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sink/record_line.h"

namespace yett::sink {

/// One thread.
class DeadLetters {
 public:
  /// `file` may already contain records.
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

/// The path of a sink's file.
std::string deadLetterFile(const std::string& database, const std::string& sink);

}  // namespace yett::sink
