// Commands of the admin interface, and the status of the running server. On the admin threads.
#include <unistd.h>

#include "admin/admin_server.h"
#include "app/server.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "policy/policy_set.h"
#include "runtime/generation.h"

namespace yett::app {

Result<std::string> Server::command(const std::string& path, const std::string& body, const std::string& peer) {
  if (path == "/audit/erase") return erase(body, peer);
  if (path == "/log-level") {
    const json::Value asked = TRY(json::parse(body, false));
    const auto* level = asked.find("level");
    base::Logger::Level wanted{};
    if (level == nullptr || !base::Logger::parseLevel(level->text, wanted))
      return Error{"needs `level`: debug, info, warning or error"};
    const std::string before(base::Logger::nameOf(log_.level()));
    record("admin command", peer, "log level " + before + " -> " + level->text);
    log_.setLevel(wanted);
    std::string out;
    json::ObjectWriter(out).field("before", before).field("level", level->text).end();
    return out;
  }
  const std::string what = path.substr(1);  // "reload" or "drain"
  record("admin command", peer, what);
  log_.info("admin command", {{"command", what}, {"by", peer}});
  return tasks_.run(what);
}

std::string Server::statusJson() const {
  std::shared_ptr<const runtime::Generation> now;
  std::string refusal;
  std::string audit_failure;
  {
    const base::Lock lock(status_mutex_);
    now = shown_;
    refusal = last_refusal_;
    audit_failure = audit_failure_;
  }
  size_t rules = 0;
  for (const auto& engine : now->policy->engines()) rules += engine.rules->rules().size();
  std::string conditions;
  for (auto& condition : readiness()) {
    if (condition.name == "audit" && !condition.wrong.empty() && !audit_failure.empty())
      condition.wrong += ": " + audit_failure;
    conditions += conditions.empty() ? "[" : ",";
    json::ObjectWriter(conditions)
        .field("name", condition.name)
        .flag("ok", condition.wrong.empty())
        .field("why", condition.wrong)
        .end();
  }
  std::string listeners;
  for (const auto& [name, state] : now->listeners) {
    listeners += listeners.empty() ? "[" : ",";
    json::ObjectWriter(listeners).field("name", name).field("address", state->config.address).end();
  }
  std::string out;
  json::ObjectWriter writer(out);
  writer.field("version", YETT_VERSION)
      .field("pid", static_cast<int64_t>(::getpid()))
      .field("uptime_seconds", (base::wallMicros() - started_at_) / 1'000'000)
      .field("state", draining_ ? "draining" : "serving")
      .field("config", now->config.file)
      .field("config_sha256", base::sha256Hex(now->config.text))
      .field("policy", now->policy->digest())
      .field("rules", static_cast<int64_t>(rules))
      .field("log_level", base::Logger::nameOf(log_.level()))
      .field("connections", gate_.count());
  if (!refusal.empty()) writer.field("last_reload_refused", refusal);
  writer.raw("ready", conditions + "]").raw("listeners", listeners + "]").end();
  return out + "\n";
}

}  // namespace yett::app
