// A generation: everything that a configuration and its files become, immutable, built off the loops and without a
// socket. What `run` and `check` share.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_trust.h"
#include "config/config.h"
#include "engine/engine_config.h"
#include "identity/trust_bundle.h"
#include "policy/policy_set.h"
#include "proxy/worker.h"
#include "runtime/inputs.h"
#include "upstream/cluster.h"

namespace yett::runtime {

struct Generation {
  config::Config config;
  std::shared_ptr<const policy::PolicySet> policy;
  std::shared_ptr<const policy::PolicySet> shadow;  ///< decides beside, without effect; null: none
  std::vector<std::string> shadow_problems;         ///< why it is not what the configuration names: nothing else waits
  std::map<std::string, std::shared_ptr<const proxy::ListenerState>> listeners;  ///< by name
  Clusters clusters;                                                             ///< by name
  std::shared_ptr<const identity::TrustBundles> bundles;                         ///< those in force; maybe empty
  std::string tls_digest;                                                        ///< of certificate, key and bundles
};

/// What was built before and may be used again where its source is the same; null at the start.
using Previous = std::shared_ptr<const Generation>;

/// Builds a generation of what was read; touches no file, but for loading a plugin's object. On failure returns null
/// and notes every problem. `problems` has those of readInputs() already.
std::shared_ptr<const Generation> build(Inputs inputs, const Previous& previous, config::Problems& problems);

/// The generation with the configuration of `previous` and what the files behind it hold now: policies, shadow,
/// certificates, bundles. What has a problem stays as it was, and holds nothing else back; each problem is noted.
/// REQUIRES: `previous` is not null.
std::shared_ptr<const Generation> refresh(const Previous& previous, config::Problems& problems, base::FileTrust& trust);

/// readInputs() and build(). `trust` looks at each file that is read.
std::shared_ptr<const Generation> readAndBuild(const std::string& config_file, const Previous& previous,
                                               config::Problems& problems, base::FileTrust& trust);

}  // namespace yett::runtime
