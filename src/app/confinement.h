// How the running process is confined: what it holds that it could not get any more, and what a reload may use.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "config/config.h"
#include "net/listener.h"
#include "sandbox/plan.h"
#include "sandbox/sandbox.h"

namespace yett::app {

struct Confinement {
  /// By address: sockets of ports below 1024, which need a privilege that is given up.
  std::map<std::string, std::shared_ptr<net::ListeningSocket>> early = {};
  std::optional<sandbox::Plan> plan = {};  ///< nothing: not confined
  sandbox::Applied applied = {};

  /// What the configuration needs and the process may not do: one problem each, with what to do.
  std::vector<std::string> outside(const config::Config& config) const;
};

/// Whether the process may read a file by its mode, but not by its sandbox: a folder above it was replaced.
bool hiddenBySandbox(const std::string& path);

/// Opens the early sockets, then confines this process, unless `unsafe`. REQUIRES: no other thread runs.
Result<Confinement> confine(const config::Config& config, bool unsafe);

/// Says in the log how the process is confined.
void tell(const Confinement& confinement, base::Logger& log);

}  // namespace yett::app
