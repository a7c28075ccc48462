// All that a generation is built from, as it was read at one moment: files' bytes, and addresses of names.
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
#include "policy/policy_source.h"
#include "upstream/cluster.h"

namespace yett::runtime {

/// What one rule engine is made of.
struct EngineInput {
  engine::EngineConfig config;
  policy::PolicySource source;  ///< of `lua` and `rules`
  std::string object;           ///< of a plugin: its bytes
  std::string settings;         ///< likewise
};

struct TlsInput {
  std::string certificate;  ///< PEM
  std::string key;
  std::map<std::string, std::string> bundles;  ///< trust domain -> PEM
  std::string digest;                          ///< SHA-256 over all of them
  bool complete = false;                       ///< all could be read
};

using Clusters = std::map<std::string, std::shared_ptr<const upstream::Cluster>>;

struct Inputs {
  config::Config config;
  bool understood = false;  ///< the configuration is without fault; else only its engines were read
  std::vector<EngineInput> engines;
  std::vector<EngineInput> shadow;
  std::vector<std::string> shadow_problems;  ///< why it could not be read: nothing else waits for that
  TlsInput tls;
  Clusters clusters;
};

/// Reads the configuration and all it names, and notes every problem. `trust` looks at each file. Names of endpoints
/// are looked up (so never on a loop): of clusters that `before` has with the same settings only where `look_up` says
/// so, and what was found before stays where they cannot be.
Inputs readInputs(const std::string& config_file, const Clusters& before, bool look_up, config::Problems& problems,
                  base::FileTrust& trust);

/// Reads what these engines are made of; those that cannot be read are noted in `problems` and left out.
std::vector<EngineInput> readEngines(const std::vector<engine::EngineConfig>& engines,
                                     std::vector<std::string>& problems, base::FileTrust& trust);

/// Likewise all of a configuration's: those in force, whose problems are noted, and those in the shadow.
void readAllEngines(const config::Config& config, Inputs& out, config::Problems& problems, base::FileTrust& trust);

/// Reads certificate, key and bundles, and notes what cannot be read.
TlsInput readTls(const identity::IdentityConfig& identity, config::Problems& problems, base::FileTrust& trust);

}  // namespace yett::runtime
