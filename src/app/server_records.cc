// What the server reports about itself in the audit log, metrics and log.
#include "app/server.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "base/text.h"
#include "runtime/policy_document.h"

namespace yett::app {

// Called before the first decision of a new policy.
void Server::recordPolicies(const runtime::Generation& next, Changes changes) {
  if (changes.policy) audit_->appendPolicy(next.policy->digest(), runtime::documentOf(*next.policy));
  if (changes.shadow && next.shadow) audit_->appendPolicy(next.shadow->digest(), runtime::documentOf(*next.shadow));
}

// A file that looks like a rule but is not one must not go unnoticed.
void Server::warnOfUnused(const runtime::Generation& generation) {
  for (const auto& engine : generation.policy->engines()) {
    for (const auto& file : engine.rules->unusedFiles())
      log_.warning("policy", {{"engine", engine.name}, {"file", file}});
  }
}

void Server::warnOfShadow(const runtime::Generation& generation) {
  for (const auto& problem : generation.shadow_problems) {
    log_.error("shadow policy refused, keeping the previous one", {{"problem", problem}});
    record("reload refused", generation.config.file, problem.substr(0, 4096));
  }
  if (generation.shadow_problems.empty()) return;
  reloads("shadow", "refused").add();
}

void Server::recordReload(const runtime::Generation& before, const runtime::Generation& next) {
  std::string detail;
  const auto add = [&](const char* what, const std::string& old, const std::string& now) {
    if (old != now) detail += (detail.empty() ? "" : "; ") + std::string(what) + " " + old + " -> " + now;
  };
  const auto shadowOf = [](const runtime::Generation& g) {
    return g.shadow ? g.shadow->digest() : std::string("none");
  };
  add("policy", before.policy->digest(), next.policy->digest());
  add("shadow", shadowOf(before), shadowOf(next));
  add("configuration", base::sha256Hex(before.config.text), base::sha256Hex(next.config.text));
  add("SPIFFE ID", before.spiffe_id.empty() ? "none" : before.spiffe_id,
      next.spiffe_id.empty() ? "none" : next.spiffe_id);
  add("certificates", base::hex(before.tls_digest), base::hex(next.tls_digest));
  record("reload accepted", next.config.file, detail.empty() ? "nothing has changed" : detail);
}

void Server::showRefusal(const std::vector<std::string>& problems, bool restart_required) {
  auto& gauge = metrics_.counter("yett_config_restart_required", {},
                                 "1 if the configuration has changed in a way that needs a restart, else 0", "gauge");
  gauge.add((restart_required ? 1 : 0) - gauge.value());
  reload_ok_ = problems.empty();
  if (problems.empty()) reloaded_at_ = base::wallMicros() / 1'000'000;
  const base::Lock lock(status_mutex_);
  last_refusal_ = base::joined(problems, "; ");
}

void Server::refused(const std::vector<std::string>& problems) {
  const std::string all = base::joined(problems, "; ");
  reloads("any", "refused").add();
  record("reload refused", generation_->config.file, all.substr(0, 4096));
  for (const auto& problem : problems) log_.error("reload refused, keeping what is in force", {{"problem", problem}});
}

void Server::record(std::string_view what, std::string_view subject, const std::string& detail) {
  audit_->append(audit::EventRecord{base::wallMicros(), what, subject, detail, 1});
}

}  // namespace yett::app
