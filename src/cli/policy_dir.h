// Policies that the command line names: directories, or those of a configuration (`yett check|test|eval`).
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_trust.h"
#include "config/object_reader.h"
#include "identity/jwt_provider.h"
#include "policy/policy_set.h"

namespace yett::cli {

/// Loads DIR with the engine that fits its files: `rules` if it has JSON files and no Lua policy, else `lua`. Null on
/// problems.
std::shared_ptr<const policy::PolicySet> loadPolicyDir(const std::string& directory, config::Problems& problems,
                                                       base::FileTrust& trust);

/// Policies as a command line names them.
struct PolicySelection {
  std::string config;                    ///< read if `directories` is empty
  std::vector<std::string> directories;  ///< several are engines of one policy set
};

/// One of them as an engine of the set.
struct PolicyFolder {
  std::string engine;  ///< its name
  std::string path;
};

/// What a selection stands for, beside its rules.
struct Selected {
  std::vector<PolicyFolder> folders;                      ///< with policy files, in the order of the set's engines
  std::optional<identity::JwtProviderConfigs> providers;  ///< nothing: there is no configuration that says

  /// Headers that policy never sees as the caller sent them: those that rules set, and those of the providers.
  std::vector<std::string> ownedHeaders(const policy::PolicySet& set) const;
};

/// Loads the policy set with the engines, roles and budget that the configuration gives it, or with an engine for each
/// directory. Null on problems.
std::shared_ptr<const policy::PolicySet> loadSelection(const PolicySelection& selection, Selected& selected,
                                                       config::Problems& problems, base::FileTrust& trust);

/// Changes with every file that a selection stands for.
std::string fingerprintOf(const PolicySelection& selection);

/// Adds the arguments: directories, and --config.
void addSelection(CLI::App& command, PolicySelection& selection);

/// Warns of files that `yett run` would refuse because others could have written them. Returns how many there are.
size_t reportDoubts(const base::FileTrust& trust);

/// Prints the problems and how many there are, to stderr. Returns exit status 2.
int reportProblems(const config::Problems& problems);

}  // namespace yett::cli
