// `yett test`: runs the tests next to policies.
#pragma once

#include <memory>
#include <string>

#include "cli/policy_dir.h"
#include "cli/test_report.h"
#include "policy/policy_set.h"

namespace yett::cli {

struct TestOptions {
  PolicySelection policy;
  std::string run;              ///< only tests whose name has this in it, or matches it if it has a `*`; "": all
  std::string format = "text";  ///< text, json or junit
  bool explain = false;         ///< every rule of each test that failed
  bool watch = false;           ///< again whenever a file changes
  bool coverage = false;
  int min_coverage = 0;  ///< percent of rules and of lines of conditions; less is a failure
};

/// Exit status: 0 all passed, 1 one failed or the coverage is too low, 2 a problem in policy or tests.
int test(const TestOptions& options);

/// Runs a directory's tests for their coverage; empty if there are none.
TestReport testsOf(const std::string& directory, const std::shared_ptr<const policy::PolicySet>& set);

/// `pattern` with a `*` (any text) must match all of `name`; without one it must be part of it.
bool isSelected(std::string_view name, std::string_view pattern);

}  // namespace yett::cli
