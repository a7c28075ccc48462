// Confines this process for good: what an attacker who runs code inside it can do. See docs/sandbox.md.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/plan.h"

namespace yett::sandbox {

/// What is in force.
struct Applied {
  int landlock = 0;                 ///< the kernel's version of Landlock; 0: files are not restricted
  bool ports = false;               ///< TCP ports are restricted
  bool calls = false;               ///< a system call filter is installed
  std::vector<std::string> weaker;  ///< what this kernel cannot do, for the log
};

/// Gives up all capabilities, restricts files and ports to the plan, forbids system calls that Yett never uses, and
/// turns core dumps off. It cannot be undone. REQUIRES: no other thread runs, since a thread that does is not confined.
/// What the system cannot do, or forbids, is in `weaker`.
Result<Applied> apply(const Plan& plan);

/// The parts of apply(). Each applies to this thread and those that it starts.
Status giveUpPrivileges();
/// Fills `landlock` and `ports`.
Status restrictPaths(const Plan& plan, Applied& out);
/// Fills `calls`.
Status restrictCalls(const Plan& plan, Applied& out);

}  // namespace yett::sandbox
