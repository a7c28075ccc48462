// `yett suggest`: the narrowest policy that allows what a log has seen, and how much more than that it allows.
#pragma once

#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/reader.h"

namespace yett::cli {

struct SuggestOptions {
  std::vector<audit::LogRef> logs;
  std::string out;  ///< folder to create; "": the policy goes to stdout
  std::string name = "suggested";
  std::string since, until;
  audit::Query query;
};

/// Exit status. 0: it decides the log the same way. 1: some decisions differ. 2: could not run.
int suggest(SuggestOptions options);

struct CoverageOptions {
  std::vector<audit::LogRef> logs;
  std::string directory;        ///< the policy
  std::string format = "text";  ///< text or json
  std::string since, until;
  audit::Query query;
};

/// Shows which rules and lines production has used, next to what the policy's tests cover.
int logCoverage(CoverageOptions options);

}  // namespace yett::cli
