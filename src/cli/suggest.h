// `yett suggest`: the least policy that allows what a log has seen; and how much wider than that it is.
#pragma once

#include <string>
#include <vector>

#include "audit/log_files.h"
#include "audit/reader.h"

namespace yett::cli {

struct SuggestOptions {
  std::vector<audit::LogRef> logs;
  std::string out;  ///< folder to make; "": the policy goes to stdout
  std::string name = "suggested";
  std::string since, until;
  audit::Query query;
};

/// 0: it decides the log alike. 1: some decisions differ. 2: it could not be done.
int suggest(SuggestOptions options);

struct CoverageOptions {
  std::vector<audit::LogRef> logs;
  std::string directory;        ///< the policy
  std::string format = "text";  ///< text or json
  std::string since, until;
  audit::Query query;
};

/// Which rules and lines production has used, beside what the tests of the policy cover.
int logCoverage(CoverageOptions options);

}  // namespace yett::cli
