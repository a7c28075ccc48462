// What the admin interface shows and does. Called on its threads.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "admin/admin_server.h"
#include "app/cluster_report.h"
#include "app/server.h"
#include "app/version.h"
#include "audit/erase.h"
#include "audit/log_files.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "config/config.h"
#include "policy/policy_set.h"
#include "runtime/generation.h"
#include "workload/client.h"

namespace yett::app {

admin::AdminContent Server::adminContent() {
  admin::AdminContent out;
  out.live = [this, limit = generation_->config.admin.liveness_stall] {
    return std::vector<admin::Condition>{{"loops", loops_.stalled(limit)}};
  };
  out.ready = [this] { return readiness(); };
  out.started = [this] { return started_.load(); };
  out.metrics = [this] { return metricsText(); };
  out.version = [] {
    std::string text;
    json::ObjectWriter(text)
        .field("name", "yett")
        .field("version", YETT_VERSION)
        .field("commit", versionCommit())
        .end();
    return text + "\n";
  };
  out.command = [this](const std::string& path, const std::string& body, const std::string& peer) {
    return command(path, body, peer);
  };
  out.status = [this] { return statusJson(); };
  out.policies = [this] { return policiesJson(); };
  out.clusters = [this] { return clustersJson(shown()->clusters); };
  out.config = [this] { return shown()->config.text; };
  return out;
}

std::vector<admin::Condition> Server::readiness() const {
  return {{"serving", draining_ ? "draining" : ""},
          {"audit", audit_->healthy() ? "" : "the audit log cannot be written"},
          {"loops", loops_.stalled(base::Millis(1000))},
          {"policy", everywhere() ? "" : "the newest policy has not reached every loop"},
          {"identity", identityState()},
          {"certificate", certificateState()}};
}

Status Server::makeWorkloadClient() {
  const std::string& socket = generation_->config.identity.workload_api;
  if (socket.empty()) return {};
  given_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (given_fd_ < 0) return Error{std::string("cannot create an event: ") + std::strerror(errno)};
  workload::Client::Events events;
  events.changed = [this] {
    const uint64_t one = 1;
    (void)!::write(given_fd_, &one, sizeof one);
  };
  events.told = [this](const std::string& why) { onWorkloadApi(why); };
  events.token_told = [this](const std::string& audience, const std::string& why) {
    if (why.empty()) return log_.info("the Workload API gives JWT-SVIDs", {{"audience", audience}});
    log_.warning("no JWT-SVID from the Workload API", {{"audience", audience}, {"why", why}});
  };
  workload_ = std::make_unique<workload::Client>(socket, std::move(events));
  return {};
}

std::shared_ptr<const std::string> Server::ownToken(const std::string& audience) const {
  return workload_ ? workload_->ownTokens().token(audience, base::wallMicros() / 1'000'000) : nullptr;
}

void Server::wantOwnTokens(const runtime::Generation& generation) {
  const auto& config = generation.config;
  if (!workload_) return;
  std::vector<std::string> audiences;
  for (const auto& cluster : config.clusters) {
    if (!cluster.token_audience.empty()) audiences.push_back(cluster.token_audience);
  }
  workload_->wantTokens(std::move(audiences), generation.spiffe_id);
}

void Server::takeGiven() const {
  uint64_t count = 0;
  (void)!::read(given_fd_, &count, sizeof count);
}

void Server::onWorkloadApi(const std::string& why) {
  if (why.empty()) return log_.info("the Workload API answers");
  const bool waits = !workload_->svid("").ok();
  log_.warning(waits ? "no identity yet" : "the Workload API does not work: what it last gave stays in force",
               {{"why", why}});
}

// Why nothing is served yet.
std::string Server::identityState() const {
  std::shared_ptr<const runtime::Generation> now;
  std::string refusal;
  {
    const base::Lock lock(status_mutex_);
    now = shown_;
    refusal = last_refusal_;
  }
  if (now->waits.empty() || !workload_) return "";
  const auto svid = workload_->svid(now->config.identity.spiffe_id);
  if (!svid) return svid.error().message;
  return refusal.empty() ? now->waits : refusal;
}

void Server::onBundle(const std::string& domain, const std::string& why) {
  if (domain.starts_with("jwt:")) {
    const std::string provider = domain.substr(4);
    if (why.empty()) return log_.info("the endpoint of a provider's keys answers", {{"provider", provider}});
    return log_.warning("the keys of a provider of tokens could not be refreshed",
                        {{"provider", provider}, {"why", why}});
  }
  if (why.empty()) return log_.info("the bundle endpoint answers", {{"trust_domain", domain}});
  log_.warning("the bundle of a trust domain could not be refreshed", {{"trust_domain", domain}, {"why", why}});
}

// Callers refuse an expired certificate, so other instances should get the traffic.
std::string Server::certificateState() const {
  const base::Lock lock(status_mutex_);
  const int64_t end = shown_->certificate_expires;
  const bool used = std::any_of(shown_->listeners.begin(), shown_->listeners.end(),
                                [](const auto& listener) { return listener.second->tls != nullptr; });
  const int64_t now = base::wallMicros() / 1'000'000;
  if (!used || end == 0) return "";
  if (now < shown_->certificate_valid_from) return "Yett's own certificate is not valid yet";
  return now >= end ? "Yett's own certificate has expired" : "";
}

Result<std::string> Server::erase(const std::string& body, const std::string& peer) {
  const json::Value asked = TRY(json::parse(body, false));
  const auto* file = asked.find("file");
  const auto* why = asked.find("why");
  const auto* records = asked.find("records");
  if (file == nullptr || why == nullptr || records == nullptr) return Error{"needs `file`, `why` and `records`"};
  const std::string& database = audit_->config().database;
  auto known = audit::closedFiles(database);
  known.push_back(database);
  const auto same = [&](const std::string& path) {
    std::error_code ignored;
    return path == file->text || std::filesystem::equivalent(path, file->text, ignored);
  };
  const auto named = std::find_if(known.begin(), known.end(), same);
  if (named == known.end()) return Error{"`" + base::printable(file->text) + "` is not a file of this audit log"};
  std::vector<int64_t> seqs;
  for (const auto& item : records->items) seqs.push_back(item.integer);
  std::sort(seqs.begin(), seqs.end());
  seqs.erase(std::unique(seqs.begin(), seqs.end()), seqs.end());
  int64_t count = 0;
  // In steps, so that records that requests wait for are written in between.
  for (size_t at = 0; at < seqs.size();) {
    TRY(audit_->runOnChain([&](audit::ChainWriter& chain) -> Status {
      const auto done =
          TRY(audit::eraseSome(chain, *named, std::span(seqs).subspan(at), audit::eraseReason(why->text, peer)));
      at += done.taken;
      count += done.erased;
      return {};
    }));
  }
  // Wait for readers here, not on the writer's thread.
  for (int tries = 100;; --tries) {
    auto done = audit_->runOnChain([&](audit::ChainWriter& chain) { return audit::eraseTraces(chain, *named, false); });
    if (done) return std::to_string(count);
    if (tries == 0) return std::move(done).error();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

bool Server::everywhere() const {
  const uint64_t newest = generations_;
  return std::all_of(loops_.all().begin(), loops_.all().end(),
                     [&](const auto& loop) { return loop->generation == newest; });
}

std::string Server::policiesJson() const {
  std::shared_ptr<const policy::PolicySet> set;
  std::string refusal;
  {
    const base::Lock lock(status_mutex_);
    set = shown_->policy;
    refusal = last_refusal_;
  }
  std::string rules;
  for (const auto& engine : set->engines()) {
    for (const auto& rule : engine.rules->rules()) {
      rules += rules.empty() ? "[" : ",";
      json::ObjectWriter(rules)
          .field("engine", engine.name)
          .field("policy", rule.policy)
          .field("rule", rule.rule)
          .field("effect", rule.effect)
          .field("position", rule.position)
          .end();
    }
  }
  std::string out;
  json::ObjectWriter writer(out);
  writer.field("digest", set->digest());
  if (!refusal.empty()) writer.field("last_reload_refused", refusal);
  writer.raw("rules", rules.empty() ? "[]" : rules + "]").end();
  return out + "\n";
}

}  // namespace yett::app
