// `yett test`: runs the tests next to policies.
#pragma once

#include <memory>
#include <string>

#include "cli/test_report.h"
#include "policy/policy_set.h"

namespace yett::cli {

struct TestOptions {
  std::string directory;
  std::string format = "text";  ///< text, json or junit
  bool coverage = false;
  int min_coverage = 0;  ///< percent of rules and of lines of conditions; less is a failure
};

/// Exit status: 0 all passed, 1 one failed or the coverage is too low, 2 a problem in policy or tests.
int test(const TestOptions& options);

/// Runs a directory's tests for their coverage; empty if there are none.
TestReport testsOf(const std::string& directory, const std::shared_ptr<const policy::PolicySet>& set);

}  // namespace yett::cli
