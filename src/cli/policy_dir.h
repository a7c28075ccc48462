// A policy directory on the command line, without a configuration: `yett check|test|eval DIR`.
#pragma once

#include <memory>
#include <string>

#include "base/file_trust.h"
#include "config/object_reader.h"
#include "policy/policy_set.h"

namespace yett::cli {

/// Loads DIR with the engine that fits its files: `rules` if it has JSON files and no Lua policy, else `lua`. Null on
/// problems.
std::shared_ptr<const policy::PolicySet> loadPolicyDir(const std::string& directory, config::Problems& problems,
                                                       base::FileTrust& trust);

/// Warns of files that `yett run` would refuse because others could have written them. Returns how many there are.
size_t reportDoubts(const base::FileTrust& trust);

/// Prints the problems and how many there are, to stderr. Returns exit status 2.
int reportProblems(const config::Problems& problems);

}  // namespace yett::cli
