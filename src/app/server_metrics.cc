// Metrics of the whole server. Series with known labels exist from the start, at 0: a rate over a counter that appears
// with its first event misses that event.
#include <algorithm>

#include "app/cluster_report.h"
#include "app/process_metrics.h"
#include "app/server.h"
#include "app/version.h"
#include "audit/writer.h"
#include "authz/authorizer.h"
#include "base/clock.h"
#include "base/text.h"
#include "policy/policy_set.h"
#include "proxy/cause.h"
#include "proxy/counts.h"
#include "proxy/listener.h"
#include "runtime/generation.h"
#include "upstream/cluster.h"
#include "workload/bundle_refresher.h"

namespace yett::app {
namespace {

constexpr size_t kMaxRoutes = 100;  // of one listener that get series before their first request
constexpr size_t kMaxRules = 200;   // of one engine that get series before their first decision

std::string gaugeText(const std::string& name, const std::string& help, const std::string& labels, int64_t value) {
  return "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n" + name + labels + " " + std::to_string(value) +
         "\n";
}

std::string refreshText(const std::vector<workload::BundleRefresher::Status>& all) {
  std::string bundles;
  std::string keys;
  for (const auto& one : all) {
    const bool provider = one.trust_domain.starts_with("jwt:");
    const std::string label =
        provider ? "provider=\"" + one.trust_domain.substr(4) : "trust_domain=\"" + one.trust_domain;
    (provider ? keys : bundles) += "{" + label + "\"} " + std::to_string(one.refreshed) + "\n";
  }
  const auto family = [](const std::string& name, const char* help, const std::string& series) {
    std::string out;
    for (const auto line : base::split(series, '\n')) {
      if (line.empty()) continue;
      if (out.empty()) out = "# HELP " + name + " " + help + "\n# TYPE " + name + " gauge\n";
      out.append(name).append(line).append("\n");
    }
    return out;
  };
  return family("yett_trust_bundle_last_refresh_timestamp_seconds",
                "when the endpoint of a bundle last answered, in seconds since 1970; 0: never", bundles) +
         family("yett_jwks_last_refresh_timestamp_seconds",
                "when the endpoint of a provider's keys last answered, in seconds since 1970; 0: never", keys);
}

std::string tokensText(const std::map<std::string, int64_t>& expirations) {
  std::string out;
  for (const auto& [audience, expires] : expirations) {
    if (out.empty())
      out =
          "# HELP yett_jwt_svid_expiration_timestamp_seconds when Yett's own JWT-SVID for an audience expires, in "
          "seconds since 1970; 0: there is none\n# TYPE yett_jwt_svid_expiration_timestamp_seconds gauge\n";
    std::string label;
    json::appendQuoted(label, audience);
    out += "yett_jwt_svid_expiration_timestamp_seconds{audience=" + label + "} " + std::to_string(expires) + "\n";
  }
  return out;
}

std::string workloadText(const workload::Client::State& state) {
  return gaugeText("yett_workload_api_streaming", "1 while the Workload API keeps the SVID up to date, else 0", "",
                   state.streaming ? 1 : 0) +
         gaugeText("yett_workload_api_last_svid_timestamp_seconds",
                   "when the Workload API last gave an SVID, in seconds since 1970; 0: never", "", state.answered_at);
}

std::string crlText(const runtime::Generation& generation) {
  const std::string name = "yett_crl_next_update_timestamp_seconds";
  std::string out;
  if (!generation.bundles) return out;
  for (const auto& [domain, bundle] : generation.bundles->all()) {
    if (!bundle->revocations) continue;
    if (out.empty())
      out = "# HELP " + name + " when the CRL of a trust domain has to be renewed, in seconds since 1970\n# TYPE " +
            name + " gauge\n";
    out += name + "{trust_domain=\"" + domain + "\"} " + std::to_string(bundle->revocations->nextUpdate()) + "\n";
  }
  return out;
}

}  // namespace

void Server::showMetrics() {
  const std::string commit = versionCommit();
  auto& build = metrics_.counter("yett_build_info", {{"version", YETT_VERSION}, {"commit", commit}},
                                 "always 1; version and commit are labels", "gauge");
  build.add(1 - build.value());
  metrics_.gauge("yett_audit_healthy", "1 if the audit log can be written, else 0",
                 [this] { return audit_->healthy() ? 1 : 0; });
  for (const char* what : {"policy", "configuration"}) reloads(what, "accepted");
  for (const char* what : {"any", "shadow"}) reloads(what, "refused");
  showConnections();
}

base::Counter& Server::reloads(const char* what, const char* result) {
  return metrics_.counter("yett_reloads_total", {{"what", what}, {"result", result}}, "reloads by result");
}

void Server::showSeries(const runtime::Generation& generation) {
  proxy::Counts counts(metrics_);
  counts.showCauses();
  for (const auto& [name, state] : generation.listeners) {
    metrics_.counter("yett_connections", {{"listener", name}}, "open connections", "gauge");
    for (const char* reason : {"limit", "descriptors", "memory"}) acceptFailures(name, reason);
    const auto& routes = state->config.routes;
    for (size_t i = 0; i < std::min(routes.size(), kMaxRoutes); ++i) counts.showRoute(name, routes[i].path);
  }
  for (const auto& [name, cluster] : generation.clusters) counts.showCluster(name);
  for (const auto& engine : generation.policy->engines()) {
    const auto rules = engine.rules->rules();
    for (size_t i = 0; i < std::min(rules.size(), kMaxRules); ++i) {
      if (rules[i].audit_only) continue;
      const std::string_view effect = rules[i].effect;
      if (effect != "deny") authz::Authorizer::showRule(metrics_, true, rules[i].policy, rules[i].rule);
      if (effect != "allow") authz::Authorizer::showRule(metrics_, false, rules[i].policy, rules[i].rule);
    }
  }
  for (const char* rule : {"default", "error", "identity", "authentication"})
    authz::Authorizer::showRule(metrics_, false, "", rule);
  if (generation.shadow) authz::Authorizer::showShadow(metrics_);
}

base::Counter& Server::acceptFailures(const std::string& listener, const std::string& reason) {
  return metrics_.counter("yett_accept_failures_total", {{"listener", listener}, {"reason", reason}},
                          "times that a connection had to wait in the backlog because it could not be accepted");
}

std::string Server::metricsText() const {
  std::shared_ptr<const runtime::Generation> now;
  {
    const base::Lock lock(status_mutex_);
    now = shown_;
  }
  std::string out = metrics_.text();
  out += gaugeText("yett_policy_info", "always 1; the digest of the policy in force is a label",
                   "{digest=\"" + now->policy->digest() + "\"}", 1);
  if (now->certificate_expires > 0)
    out += gaugeText("yett_certificate_expiry_timestamp_seconds",
                     "when Yett's own certificate, or one of its chain, expires, in seconds since 1970", "",
                     now->certificate_expires);
  if (workload_) out += workloadText(workload_->state()) + tokensText(workload_->ownTokens().expirations());
  out += clusterGauges(now->clusters);
  out += crlText(*now);
  out += refreshText(bundle_refresher_.status());
  out += gaugeText("yett_last_reload_successful", "1 if what the files hold is in force, 0 if some of it was refused",
                   "", reload_ok_ ? 1 : 0);
  out += gaugeText("yett_last_reload_success_timestamp_seconds",
                   "when the files were last read and all of them accepted, in seconds since 1970", "", reloaded_at_);
  return out + processMetrics();
}

}  // namespace yett::app
