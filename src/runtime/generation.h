// A generation: everything that a configuration and its files become, immutable, built off the loops and without a
// socket. What `run`, `check` and, later, tests of policy share.
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
#include "upstream/cluster.h"

namespace yett::runtime {

struct Generation {
  config::Config config;
  std::shared_ptr<const policy::PolicySet> policy;
  std::shared_ptr<const policy::PolicySet> shadow;  ///< decides beside, without effect; null: none
  std::vector<std::string> shadow_problems;         ///< why it is not what the configuration names: nothing else waits
  std::map<std::string, std::shared_ptr<const proxy::ListenerState>> listeners;  ///< by name
  std::map<std::string, std::shared_ptr<const upstream::Cluster>> clusters;      ///< by name
  std::shared_ptr<const identity::TrustBundles> bundles;                         ///< those in force; maybe empty
  std::string tls_digest;                                                        ///< of certificate, key and bundles
};

/// What was built before and may be used again where its source is the same; null at the start.
using Previous = std::shared_ptr<const Generation>;

/// Reads the configuration and all it names, and builds a generation. On failure returns null and notes every problem.
/// `trust` looks at each file that is read.
std::shared_ptr<const Generation> build(const std::string& config_file, const Previous& previous,
                                        config::Problems& problems, base::FileTrust& trust);

/// Loads only a policy directory, for `yett check DIR`.
std::shared_ptr<const policy::PolicySet> loadPolicy(const std::vector<engine::EngineConfig>& engines,
                                                    const policy::Budget& budget, const policy::PolicySet* previous,
                                                    config::Problems& problems, base::FileTrust& trust);

}  // namespace yett::runtime
