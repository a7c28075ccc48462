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
  /// What each folder and file of the plan was at the start: device and inode; missing ones are not in it.
  std::map<std::string, std::pair<uint64_t, uint64_t>> identities = {};

  /// What the configuration needs and the process may not do: one problem each, with what to do.
  std::vector<std::string> outside(const config::Config& config) const;
  /// Why `path` can no longer be read: its folder was replaced since the start. "" if it can, or nothing is confined.
  std::string whyReplaced(const std::string& path) const;
};

/// Opens the early sockets, then confines this process, unless `unsafe`. REQUIRES: no other thread runs.
Result<Confinement> confine(const config::Config& config, bool unsafe);

/// The same for a configuration file. If it has problems, does nothing: they are reported when it is read again. Then
/// the caller must not serve, even if they are gone by then.
Result<Confinement> confineFor(const std::string& config_file, bool unsafe);

/// Says in the log how the process is confined.
void tell(const Confinement& confinement, base::Logger& log);

}  // namespace yett::app
