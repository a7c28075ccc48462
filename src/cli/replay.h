// `yett replay`: decides every recorded request again with other rules and reports what would change.
#pragma once

#include <string>

#include "audit/log_files.h"
#include "audit/reader.h"

namespace yett::cli {

struct ReplayOptions {
  std::vector<audit::LogRef> logs;  ///< audit databases
  std::string directory;            ///< the candidate: a policy directory,
  std::string config;               ///< or all engines of a configuration
  std::string format = "text";      ///< text or json
  std::string since, until;         ///< as written; see parseTime
  audit::Query query;
  int examples = 3;           ///< per group
  unsigned threads = 0;       ///< 0: one for each core
  double most_undecided = 0;  ///< percent
};

/// Exit status. 0: same decisions. 1: some decisions differ. 2: could not run. 3: too many are undecided.
int replay(ReplayOptions options);

}  // namespace yett::cli
