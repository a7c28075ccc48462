// Finds outcomes that came after the file of their decision was closed: they are in a later file. One thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/outcome_finder.h"
#include "audit/reader.h"

namespace yett::audit {

class LaterOutcomes {
 public:
  /// For a log in these files, oldest first.
  explicit LaterOutcomes(std::vector<LogRef> files) : files_(std::move(files)), later_(files_.size()) {}
  /// Adds the outcome to a row of file number `file`, if the row has none and a later file has it. A file that was
  /// deleted by retention meanwhile has none.
  Status complete(size_t file, Row& row);

 private:
  // The file as it was when it was first read.
  struct Later {
    std::optional<Reader> reader;  // nothing: the file is gone
    std::vector<BlockHead> heads;
    std::unique_ptr<OpenBlock> open;
    std::unique_ptr<BlockSource> source;
    std::unique_ptr<OutcomeFinder> finder;
  };
  /// Null if the file is gone.
  Result<OutcomeFinder*> finder(size_t file);

  std::vector<LogRef> files_;
  std::vector<std::unique_ptr<Later>> later_;
};

}  // namespace yett::audit
