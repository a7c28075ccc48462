// The output of `yett check`: lines for people, JSON for programs, and a tree of what would be served.
#pragma once

#include <string>
#include <vector>

#include "runtime/generation.h"
#include "runtime/preflight.h"

namespace yett::cli {

/// The parts of "rules/a.lua:3: ...". `line` 0: no line given; `file` "": no file either.
struct Finding {
  std::string file;
  int line = 0;
  std::string text;
};
Finding findingOf(const std::string& message);

/// `path` relative to the working directory if it is below it, for editors and CI annotations.
std::string fromHere(const std::string& path);

/// Listeners with their routes, clusters with their endpoints, policies, audit log and admin side.
std::string treeOf(const runtime::Generation& generation, const runtime::Preflight& preflight);

/// The same for programs.
std::string treeJson(const runtime::Generation& generation, const runtime::Preflight& preflight);

/// {"ok", "problems", "warnings", "policy", "serves"}: problems and warnings have `file`, `line` and `message`.
/// `serves` is from treeJson(), or "".
std::string findingsJson(bool ok, const std::vector<std::string>& problems, const std::vector<std::string>& warnings,
                         const std::string& digest, const std::string& serves);

}  // namespace yett::cli
