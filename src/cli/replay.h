// `yett replay`: every recorded request decided again by other rules, and what that would change.
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
  int examples = 3;           ///< of each group
  unsigned threads = 0;       ///< 0: one for each core
  double most_undecided = 0;  ///< percent
};

/// 0: decides alike. 1: some decisions differ. 2: it could not be done. 3: too many are undecided.
int replay(ReplayOptions options);

}  // namespace yett::cli
