// What a configuration needs of the system.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "sandbox/plan.h"

namespace yett::runtime {

/// The files and folders that a reload reads.
std::vector<std::string> sourcesOf(const config::Config& config);

/// The parent folders of what it reads and writes, since certificates and policies are replaced by renaming; the
/// folders that links lead to; its ports.
sandbox::Plan sandboxPlan(const config::Config& config);

/// What is allowed but could be narrower, for `yett check`.
std::vector<std::string> sandboxNotes(const config::Config& config);

/// Files that would be written directly in a folder such as / or /etc, which the sandbox never opens: one problem each.
std::vector<std::string> sandboxProblems(const config::Config& config);

}  // namespace yett::runtime
