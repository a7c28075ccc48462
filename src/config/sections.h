// The sections of yett.json, one file each. `file` is the configuration file: relative paths are resolved against its
// folder.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "admin/admin_config.h"
#include "audit/audit_config.h"
#include "config/config.h"
#include "config/object_reader.h"
#include "engine/engine_config.h"
#include "identity/identity_config.h"
#include "identity/jwt_provider.h"
#include "memory/cache_config.h"
#include "proxy/listener_config.h"
#include "sink/sink_config.h"
#include "upstream/cluster.h"
#include "upstream/resolver.h"

namespace yett::config {

void readIdentity(ObjectReader& in, const std::string& file, identity::IdentityConfig& out);
void readAuthentication(ObjectReader& in, const std::string& file, identity::JwtProviderConfigs& out);
/// `known`: has the sections before it, `identity` and `authentication`.
void readListener(ObjectReader& in, const Config& known, proxy::ListenerConfig& out);
/// "header:x-user", "cookie:session", "principal", "source".
void readHashKey(ObjectReader& in, std::string_view key, upstream::HashKey& out);
/// `zone`: where Yett runs.
void readCluster(ObjectReader& in, const std::string& file, const std::string& zone, upstream::ClusterConfig& out);
/// Engines, the shadow's engines, pinned digests and the budget.
void readPolicy(ObjectReader& in, const std::string& file, Config& out);
void readAudit(ObjectReader& in, const std::string& file, audit::AuditConfig& out,
               std::vector<sink::SinkConfig>& sinks);
void readSink(ObjectReader& in, const std::string& file, sink::SinkConfig& out);
void readCache(ObjectReader& in, const std::string& file, memory::CacheConfig& out);
void readAdmin(ObjectReader& in, const std::string& file, admin::AdminConfig& out);
void readSandbox(ObjectReader& in, const std::string& file, SandboxConfig& out);
void readResolver(ObjectReader& in, upstream::ResolverConfig& out);
void readShutdown(ObjectReader& in, ShutdownConfig& out);

/// An octal file mode such as "0660".
void readMode(ObjectReader& in, const char* name, mode_t& out);

/// Checks that no name appears twice.
template <typename List>
void checkNames(ObjectReader& in, const char* what, const List& list) {
  std::set<std::string> seen;
  for (const auto& item : list) {
    if (!item.name.empty() && !seen.insert(item.name).second)
      in.problem(what, "the name `" + item.name + "` appears twice");
  }
}

}  // namespace yett::config
