// One fuzz target per parser: of files that people write, and of what comes off a socket. Each takes any bytes and must
// come back: no crash, no hang, and where it refuses, a problem that says something. test/unit/fuzz replays a corpus
// and mutations of it with every run of the tests; with -DYETT_FUZZ=ON and clang each is a libFuzzer program too (see
// CONTRIBUTING.md).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace yett::fuzz {

struct Target {
  const char* name;
  /// Returns what is wrong with the answer to these bytes; "" where nothing is.
  std::string (*run)(std::string_view bytes);
};

/// All of them.
std::vector<Target> targets();
/// Those of http_targets.cc.
std::span<const Target> httpTargets();
/// Those of audit_targets.cc.
std::span<const Target> auditTargets();

}  // namespace yett::fuzz
