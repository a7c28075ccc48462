// One fuzz target per parser, for files that people write and for network input. Each takes any bytes and must return:
// no crash, no hang, and a meaningful problem if it rejects the input. test/unit/fuzz replays a corpus and mutations of
// it in every test run; with -DYETT_FUZZ=ON and clang each is a libFuzzer program too (see CONTRIBUTING.md).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace yett::fuzz {

struct Target {
  const char* name;
  /// Returns what is wrong with the result for these bytes; "" if nothing is.
  std::string (*run)(std::string_view bytes);
};

/// All of them.
std::vector<Target> targets();
/// Those of http_targets.cc.
std::span<const Target> httpTargets();
/// Those of audit_targets.cc.
std::span<const Target> auditTargets();
/// Those of identity_targets.cc.
std::span<const Target> identityTargets();
/// Those of workload_targets.cc.
std::span<const Target> workloadTargets();

}  // namespace yett::fuzz
