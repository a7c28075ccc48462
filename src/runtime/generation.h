// A generation: everything built from a configuration and its files. Immutable, built off the loops and without
// sockets. Used by `run` and `check`.
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

/// By name.
using Clusters = std::map<std::string, std::shared_ptr<const upstream::Cluster>>;

struct Generation {
  config::Config config;
  std::shared_ptr<const policy::PolicySet> policy;
  std::shared_ptr<const policy::PolicySet> shadow;  ///< also evaluated, without effect; null: none
  std::vector<std::string> shadow_problems;         ///< why it is not the configured one; does not block the rest
  std::map<std::string, std::shared_ptr<const proxy::ListenerState>> listeners;  ///< by name; none while `waits`
  std::string waits;      ///< why there is no SVID of the Workload API yet; "": there is nothing to wait for
  std::string spiffe_id;  ///< Yett's own, "" if it has none
  std::shared_ptr<const identity::JwtProviders> providers;  ///< of tokens; never null
  Clusters clusters;
  std::map<std::string, std::string> authorities;         ///< of clusters, as read
  std::shared_ptr<const identity::TrustBundles> bundles;  ///< those in force; maybe empty
  int64_t certificate_expires = 0;     ///< the own certificate or one of its chain, seconds since 1970; 0: none
  int64_t certificate_valid_from = 0;  ///< likewise
  std::shared_ptr<const identity::OwnSvid> own;  ///< certificate and key in force; null: none yet
  std::string tls_digest;                        ///< of certificate, key and bundles
};

/// The previous generation; its parts are reused if their sources are unchanged. Null at the start.
using Previous = std::shared_ptr<const Generation>;

/// Builds a generation from what was read. Touches no files, except to load a plugin's object. On failure returns null
/// and reports every problem. `problems` already has those of readInputs().
/// Without an SVID of the Workload API, a generation `waits`, unless the previous one had one: that is a problem.
std::shared_ptr<const Generation> build(Inputs inputs, const Previous& previous, config::Problems& problems);

/// The generation with the configuration of `previous` and the current contents of its files: policies, shadow,
/// certificate, each bundle, the keys of each provider of tokens, the authorities of each cluster. A part with a
/// problem stays as it was and does not hold back the others; each is reported.
/// REQUIRES: `previous` is not null.
std::shared_ptr<const Generation> refresh(const Previous& previous, const ApiSources& api, config::Problems& problems,
                                          base::FileTrust& trust);

/// The same for certificate and bundles alone. Null: nothing of them can be used. REQUIRES: `previous` is not null.
std::shared_ptr<const Generation> refreshTls(const Previous& previous, const ApiSources& api,
                                             config::Problems& problems, base::FileTrust& trust);

/// readInputs(), without the Workload API, and build(). `trust` checks each file that is read.
std::shared_ptr<const Generation> readAndBuild(const std::string& config_file, const Previous& previous,
                                               config::Problems& problems, base::FileTrust& trust);

}  // namespace yett::runtime
