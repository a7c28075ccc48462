// Everything that a generation is built from, read at one moment: file contents.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/file_trust.h"
#include "config/config.h"
#include "config/object_reader.h"
#include "engine/engine_config.h"
#include "identity/identity_config.h"
#include "identity/source.h"
#include "identity/trust_bundle.h"
#include "policy/policy_source.h"
#include "upstream/cluster.h"

namespace yett::runtime {

/// The inputs of one rule engine.
struct EngineInput {
  engine::EngineConfig config;
  policy::PolicySource source;  ///< for `lua` and `rules`
  std::string object;           ///< for a plugin: its bytes
  std::string settings;         ///< for a plugin
};

/// The sources of the Workload API; null where nobody asks it.
struct ApiSources {
  const identity::SvidSource* svid = nullptr;
  const identity::BundleSource* bundles = nullptr;
};

struct TlsInput {
  std::string certificate;  ///< PEM
  std::string key;
  std::string missing;  ///< why the Workload API gives no SVID; "" if it does, or if files are used
  identity::TrustBundles::Sources bundles;
  std::string digest;     ///< SHA-256 of certificate and key
  bool complete = false;  ///< all could be read, but for bundles that say why not
  bool bundles_known = false;
  /// Uses this certificate and key instead.
  void take(const identity::OwnSvid& own);
};

struct Inputs {
  config::Config config;
  bool understood = false;  ///< the configuration is valid; else only its engines were read
  std::vector<EngineInput> engines;
  std::vector<EngineInput> shadow;
  std::vector<std::string> shadow_problems;  ///< why it could not be read; does not block the rest
  TlsInput tls;
  identity::KeySets key_sets;                      ///< of the providers of tokens; those that are known
  std::map<std::string, std::string> authorities;  ///< of clusters with `tls.ca`, by cluster; PEM
};

/// Reads the configuration and all files that it names, and reports every problem. `trust` checks each file.
Inputs readInputs(const std::string& config_file, const ApiSources& api, config::Problems& problems,
                  base::FileTrust& trust);

/// Reads the inputs of these engines. Engines that cannot be read are reported in `problems` and left out.
std::vector<EngineInput> readEngines(const std::vector<engine::EngineConfig>& engines,
                                     std::vector<std::string>& problems, base::FileTrust& trust);

/// Likewise for all engines of a configuration; problems of shadow engines go to `out.shadow_problems`.
void readAllEngines(const config::Config& config, Inputs& out, config::Problems& problems, base::FileTrust& trust);

/// Reads the keys of each provider of tokens, or why they cannot be read.
identity::KeySets readKeySets(const identity::JwtProviderConfigs& providers, base::FileTrust& trust);

/// Reads the authorities of each cluster with `tls.ca`, and reports what cannot be read.
std::map<std::string, std::string> readClusterAuthorities(const std::vector<upstream::ClusterConfig>& clusters,
                                                          config::Problems& problems, base::FileTrust& trust);

/// Reads certificate, key and bundles, and reports what cannot be read. What the configuration names goes before what
/// the Workload API gives.
TlsInput readTls(const identity::IdentityConfig& identity, const ApiSources& api, config::Problems& problems,
                 base::FileTrust& trust);

}  // namespace yett::runtime
