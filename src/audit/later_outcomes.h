// The outcomes of decisions whose file was closed before they came: they stand in a later file of the log. One thread.
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
  /// Of a log in these files, oldest first.
  explicit LaterOutcomes(std::vector<LogRef> files) : files_(std::move(files)), later_(files_.size()) {}
  /// Adds the outcome to a row of this one of the files, where the row has none and a later file has it. One that
  /// retention has deleted meanwhile has none.
  Status complete(size_t file, Row& row);

 private:
  // As the file was when it was first asked.
  struct Later {
    std::optional<Reader> reader;  // nothing: the file is gone
    std::vector<BlockHead> heads;
    std::unique_ptr<OpenBlock> open;
    std::unique_ptr<BlockSource> source;
    std::unique_ptr<OutcomeFinder> finder;
  };
  /// Null where the file is gone.
  Result<OutcomeFinder*> finder(size_t file);

  std::vector<LogRef> files_;
  std::vector<std::unique_ptr<Later>> later_;
};

}  // namespace yett::audit
