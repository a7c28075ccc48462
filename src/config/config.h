// The whole configuration, made of the modules' own structs. Parsed and checked; relative paths are resolved against
// the file's folder.
#pragma once

#include <string>
#include <vector>

#include "admin/admin_config.h"
#include "audit/audit_config.h"
#include "base/file_trust.h"
#include "config/object_reader.h"
#include "engine/engine_config.h"
#include "identity/identity_config.h"
#include "identity/jwt_provider.h"
#include "memory/cache_config.h"
#include "policy/rule_engine.h"
#include "proxy/listener_config.h"
#include "sink/sink_config.h"
#include "upstream/cluster.h"
#include "upstream/resolver.h"

namespace yett::config {

/// How to shut down on SIGTERM.
struct ShutdownConfig {
  base::Millis delay{0};                  ///< how long to be not ready but still accept, until load balancers notice
  base::Millis drain_timeout{30'000};     ///< for exchanges to end
  base::Millis sink_flush_timeout{5000};  ///< for sinks to take the last records
};

/// What the process may use besides what the rest of the configuration names.
struct SandboxConfig {
  std::vector<std::string> paths;  ///< folders and files to read and write
  bool any_port = false;           ///< TCP ports are not restricted
  bool operator==(const SandboxConfig&) const = default;
};

struct Config {
  std::string file;
  std::string text;  ///< as read
  identity::IdentityConfig identity;
  identity::JwtProviderConfigs jwt;  ///< by name
  std::vector<proxy::ListenerConfig> listeners;
  std::vector<upstream::ClusterConfig> clusters;
  std::vector<engine::EngineConfig> engines;
  policy::Budget budget;
  std::vector<engine::EngineConfig> shadow;  ///< engines of the shadow policy set; empty: no shadow
  std::vector<std::string> policy_pin;       ///< digests of the policy sets that may be loaded; empty: any
  memory::CacheConfig cache;
  audit::AuditConfig audit;
  std::vector<sink::SinkConfig> sinks;
  admin::AdminConfig admin;
  std::string access_log = "stdout";  ///< "stdout", "off" or a path
  int64_t workers = 0;                ///< 0: one per core
  int64_t max_connections = 20'000;
  uint64_t memory_limit = 0;  ///< bytes; 0: what the cgroup or the host has
  ShutdownConfig shutdown;
  upstream::ResolverConfig resolver;
  SandboxConfig sandbox;
  std::vector<uid_t> trusted_owners;  ///< whose files are trusted like root's and Yett's own
};

/// Reads and checks the file. Adds all problems; the result is valid only if there are none. `trust` gets the owners
/// that the file names; they do not apply to the file itself.
Config readConfig(const std::string& file, Problems& problems, base::FileTrust& trust);

}  // namespace yett::config
