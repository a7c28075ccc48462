#include "app/server.h"

#include <algorithm>

#include "app/limits.h"
#include "authz/authorizer.h"
#include "base/clock.h"
#include "base/sha256.h"
#include "config/config.h"
#include "identity/own_certificate.h"
#include "net/listener.h"
#include "policy/policy_set.h"
#include "policy/rule_engine.h"
#include "proxy/listener.h"
#include "proxy/worker.h"
#include "runtime/memory_plan.h"

namespace yett::app {
namespace {

constexpr base::Millis kReloadWait{2000};  // for every loop to take a new generation
constexpr base::Millis kEndWait{5000};     // for every loop to end
constexpr base::Millis kNamesWait{2000};   // at the start, for the names of services

// Of trust domains, and of providers of tokens as `jwt:NAME`.
std::map<std::string, identity::BundleConfig> endpointsOf(const config::Config& config) {
  auto out = config.identity.trust_bundles;
  for (const auto& [name, provider] : config.jwt) out["jwt:" + name] = provider.keys;
  return out;
}

}  // namespace

Server::Server(std::shared_ptr<const runtime::Generation> generation, base::Logger& log, MainTasks& tasks,
               Confinement confinement)
    : log_(log),
      tasks_(tasks),
      confinement_(std::move(confinement)),
      descriptors_(descriptorsForConnections()),
      gate_(maxConnections(generation->config, descriptors_.limit()), &descriptors_),
      loops_(log, metrics_),
      generation_(std::move(generation)),
      shown_(generation_) {}

Result<std::unique_ptr<Server>> Server::start(std::shared_ptr<const runtime::Generation> generation, base::Logger& log,
                                              MainTasks& tasks, Confinement confinement) {
  std::unique_ptr<Server> out(new Server(std::move(generation), log, tasks, std::move(confinement)));
  TRY(out->open());
  return out;
}

Status Server::open() {
  const auto& config = generation_->config;
  started_at_ = base::wallMicros();
  tell(confinement_, log_);
  TRY(openAccessLog());
  sockets_ = TRY(openSockets(*generation_));
  TRY(openAudit());
  if (!config.cache.database.empty() && config.cache.entries > 0) {
    auto remembered = memory::RememberedDb::open(config.cache, metrics_);
    if (!remembered) return std::move(remembered).error().within("cache");
    remembered_ = std::move(remembered).value();
  }
  TRY(makeLoops());
  const Changes all{true, generation_->shadow != nullptr};
  Evaluators evaluators = TRY(makeEvaluators(*generation_, all));
  recordPolicies(*generation_, all);
  showRefusal({}, false);
  showMetrics();
  showSeries(*generation_);
  TRY(makeWorkloadClient());
  admin_ =
      TRY(admin::AdminServer::start(config.admin, adminContent(), maxAdminSessions(), takeEarly(config.admin.address)));
  loops_.run();
  watch_.follow(generation_->clusters, config.resolver);
  upstream::Watch::await(generation_->clusters, kNamesWait);
  record("start", config.file,
         "version " YETT_VERSION "; policy " + generation_->policy->digest() + "; configuration " +
             base::sha256Hex(config.text) + (generation_->shadow ? "; shadow " + generation_->shadow->digest() : ""));
  warnOfShadow(*generation_);
  warnOfUnused(*generation_);
  distribute(generation_, sockets_, std::move(evaluators), all);
  for (const auto& [name, socket] : sockets_)
    log_.info("listening", {{"listener", name}, {"address", socket->address()}});
  if (!admin_->address().empty()) log_.info("admin listening", {{"address", admin_->address()}});
  bundle_refresher_.follow(endpointsOf(config));
  if (workload_) TRY(workload_->start());
  wantOwnTokens(*generation_);
  started_ = true;
  if (!generation_->waits.empty()) {
    log_.info("waiting for the Workload API before listening", {{"socket", config.identity.workload_api}});
    return {};
  }
  logServing(*generation_);
  return {};
}

void Server::logServing(const runtime::Generation& generation) {
  log_.info("serving",
            {{"workers", std::to_string(loops_.size())}, {"policy", generation.policy->digest().substr(0, 12)}});
}

Server::~Server() {
  stop();
  if (given_fd_ >= 0) ::close(given_fd_);
}

Server::Stopped Server::stop() {
  if (stopped_) return Stopped::kWhole;
  tasks_.close();                     // the admin's threads may wait for one,
  if (audit_) audit_->refuseTasks();  // or for the audit writer
  admin_.reset();
  if (workload_) workload_->stop();  // whose events use this object
  watch_.stop();
  const bool fetched = bundle_refresher_.stop(base::Millis(200));
  draining_ = true;
  const bool ended = loops_.stop(
      [](Loop& loop) {
        loop.acceptors.clear();
        loop.events->flush();
        loop.worker->registry.closeAll();
      },
      kEndWait);
  const std::string stuck = ended ? "" : loops_.stalled(base::Millis(0));
  if (audit_) record("stop", generation_->config.file, stuck);
  if (!ended) {
    log_.error("an event loop does not stop: the process exits without it", {{"why", stuck}});
    audit_->finish();  // writes all accepted records and refuses new ones from the loop
    return Stopped::kWithoutLoop;
  }
  for (auto& loop : loops_.all()) {
    loop->worker.reset();
    loop->authorizer.reset();
    loop->events.reset();
  }
  if (audit_) audit_->finish();
  if (exporter_ && !exporter_->finish(generation_->config.shutdown.sink_flush_timeout)) {
    log_.warning("a sink is not done within `sink_flush_timeout`: the process exits without it");
    return Stopped::kWithoutSink;
  }
  exporting_ = nullptr;
  audit_.reset();  // last: its thread posts to the loops, and sinks report refused records to it
  stopped_ = fetched;
  return fetched ? Stopped::kWhole : Stopped::kWithoutSink;  // an endpoint that does not answer must not be waited for
}

Status Server::checkRestartOnly(const runtime::Generation& next) const {
  const auto& now = generation_->config;
  const auto& then = next.config;
  const auto needs = [](const char* what) {
    return Error{std::string(what) + " cannot be changed while running: restart yett, or undo the change"};
  };
  if (now.workers != then.workers) return needs("`workers`");
  if (now.trusted_owners != then.trusted_owners) return needs("`trusted_owners`");
  audit::AuditConfig audit_now = now.audit;
  audit_now.hold = then.audit.hold;  // which may change
  if (!(audit_now == then.audit) || !(now.sinks == then.sinks)) return needs("`audit`");
  if (!(now.cache == then.cache)) return needs("`cache`");
  if (!(now.admin == then.admin)) return needs("`admin`");
  if (now.access_log != then.access_log) return needs("`access_log`");
  if (now.max_connections != then.max_connections) return needs("`max_connections`");
  if (now.memory_limit != then.memory_limit) return needs("`memory_limit`");
  if (!(now.sandbox == then.sandbox)) return needs("`sandbox`");
  return {};
}

// The socket for an address that needed a privilege; null if there is none.
std::shared_ptr<net::ListeningSocket> Server::takeEarly(const std::string& address) {
  auto node = confinement_.early.extract(address);
  return node.empty() ? nullptr : std::move(node.mapped());
}

Result<std::shared_ptr<net::ListeningSocket>> Server::openSocket(const proxy::ListenerConfig& listener) const {
  auto out = net::ListeningSocket::open(listener.address, listener.socket_mode);
  if (out || !confinement_.plan || !out.error().message.ends_with("permission denied")) return out;
  return Error{out.error().message + ": Yett gave its privileges up at the start, so this needs a restart"};
}

Result<Sockets> Server::openSockets(const runtime::Generation& next) {
  Sockets out;
  for (const auto& [name, state] : next.listeners) {
    const auto before = sockets_.find(name);
    const bool same = before != sockets_.end() &&
                      generation_->listeners.at(name)->config.address == state->config.address &&
                      generation_->listeners.at(name)->config.socket_mode == state->config.socket_mode;
    if (same) out[name] = before->second;
    else if (auto early = takeEarly(state->config.address)) out[name] = std::move(early);
    else out[name] = TRY(openSocket(state->config));
  }
  return out;
}

// What cached results on disk depend on besides their reads: with other masks, other values may be stored.
std::string Server::rememberedBy(const runtime::Generation& generation) const {
  return generation.policy->digest() + "\n" + audit_->recording().maskedNames();
}

Result<Server::Evaluators> Server::makeEvaluators(const runtime::Generation& next, Changes changes) {
  Evaluators out;
  out.policy.resize(loops_.size());
  out.shadow.resize(loops_.size());
  policy::EvaluatorOptions options;
  options.remembered_entries = next.config.cache.entries;
  options.remembered_bytes = next.config.cache.bytes;
  options.metrics = &metrics_;
  if (next.shadow && changes.shadow) {
    for (auto& evaluator : out.shadow) evaluator = TRY(policy::PolicyEvaluator::create(next.shadow, options));
  }
  options.recording = &audit_->recording();
  if (remembered_) options.remembered = remembered_->storeFor(rememberedBy(next));
  for (auto& evaluator : out.policy) {
    if (changes.policy) evaluator = TRY(policy::PolicyEvaluator::create(next.policy, options));
  }
  return out;
}

void Server::take(Loop& loop, const runtime::Generation& next, const Sockets& sockets) {
  loop.worker->upstreams.update(next.clusters);
  std::erase_if(loop.acceptors, [&](const auto& item) {
    const auto kept = sockets.find(item.first);
    return kept == sockets.end() || kept->second != loop.sockets[item.first];
  });
  std::erase_if(loop.slots, [&](const auto& item) {
    item.second->removed = !sockets.contains(item.first);
    return item.second->removed;
  });
  loop.sockets = sockets;
  for (const auto& [name, state] : next.listeners) {
    auto& slot = loop.slots[name];
    if (!slot) slot = std::make_shared<proxy::ListenerSlot>();
    slot->state = state;
    slot->connections = &metrics_.counter("yett_connections", {{"listener", name}}, "open connections", "gauge");
    const auto handshakes = [this, &name = name](const char* result) {
      return &metrics_.counter("yett_handshakes_total", {{"listener", name}, {"result", result}},
                               "TLS handshakes by result");
    };
    if (state->tls) slot->handshakes_done = handshakes("done"), slot->handshakes_failed = handshakes("failed");
    if (loop.acceptors.contains(name)) continue;
    loop.acceptors[name] = std::make_unique<net::Acceptor>(
        loop.loop, sockets.at(name), gate_,
        [&loop, slot](Poco::Net::StreamSocket socket) { loop.worker->accept(slot, socket); },
        [&loop, slot] { return slot->state->tls == nullptr || loop.worker->registry.handshakes().takesMore(); },
        [this, name = std::string(name)](int error) { onAcceptFailed(name, error); });
  }
}

bool Server::distribute(std::shared_ptr<const runtime::Generation> next, const Sockets& sockets, Evaluators evaluators,
                        Changes changes) {
  if (remembered_ && changes.policy) remembered_->dropOthers(rememberedBy(*next));
  // Each loop swaps policy, routes and clusters between two events, so no request sees a mix. What it replaces (maybe
  // a large Lua state) is destroyed with the task, on this thread if no loop is late.
  const auto given = std::make_shared<Evaluators>(std::move(evaluators));
  const uint64_t number = ++generations_;
  const auto swap = [this, next, sockets, given, changes, number](Loop& loop) {
    auto& mine = given->policy[loop.index];
    auto& shadow = given->shadow[loop.index];
    if (changes.policy) mine = loop.authorizer->swap(std::move(mine));
    if (changes.shadow) shadow = loop.authorizer->swapShadow(std::move(shadow));
    take(loop, *next, sockets);
    loop.worker->reviewSessions(next->bundles, next->providers);  // first: what is decided again asks them
    if (changes.policy) loop.worker->onPolicy();
    else if (changes.tokens) loop.worker->subjects.recheckSoon();
    loop.generation = number;
  };
  const std::string digest = next->policy->digest().substr(0, 12);
  const auto caughtUp = [this, digest] {
    log_.warning("every loop now uses the new generation", {{"policy", digest}});
  };
  incomplete_ = false;
  if (loops_.onAll(swap, kReloadWait, caughtUp)) return true;
  const std::string stalled = loops_.stalled(base::Millis(0));
  incomplete_ = stalled.empty();  // otherwise blocked loops take it once they continue
  const std::string why = incomplete_ ? "it failed on a loop" : stalled;
  log_.error("the new generation is not in force on every loop", {{"policy", digest}, {"why", why}});
  record("reload incomplete", next->config.file, "policy " + next->policy->digest() + ": " + why);
  return false;
}

bool Server::differs(const runtime::Generation& next) const {
  return incomplete_ || next.policy != generation_->policy || next.shadow != generation_->shadow ||
         next.shadow_problems != generation_->shadow_problems || next.config.text != generation_->config.text ||
         next.tls_digest != generation_->tls_digest || next.providers->digest() != generation_->providers->digest() ||
         next.clusters != generation_->clusters;
}

Status Server::apply(std::shared_ptr<const runtime::Generation> next) {
  // If a loop could not take the last generation, all parts of this one are sent.
  const Changes changes{incomplete_ || next->policy != generation_->policy,
                        incomplete_ || next->shadow != generation_->shadow,
                        next->providers->digest() != generation_->providers->digest()};
  Sockets sockets = TRY(openSockets(*next));
  Evaluators evaluators = TRY(makeEvaluators(*next, changes));
  recordPolicies(*next, changes);
  recordReload(*generation_, *next);
  if (next->config.audit.hold != generation_->config.audit.hold) audit_->hold(next->config.audit.hold);
  warnOfShadow(*next);
  if (changes.policy) warnOfUnused(*next);
  showSeries(*next);
  const bool everywhere = distribute(next, sockets, std::move(evaluators), changes);
  for (const auto& [name, socket] : sockets) {
    const auto before = sockets_.find(name);
    if (before == sockets_.end() || before->second != socket)
      log_.info("listening", {{"listener", name}, {"address", socket->address()}});
  }
  sockets_ = std::move(sockets);
  if (!generation_->waits.empty() && next->waits.empty()) logServing(*next);
  const auto before = generation_;
  {
    const base::Lock lock(status_mutex_);
    generation_ = shown_ = next;
  }
  bundle_refresher_.follow(endpointsOf(next->config));
  watch_.follow(next->clusters, next->config.resolver);
  wantOwnTokens(*next);
  if (next->tls_digest != before->tls_digest && !next->spiffe_id.empty())
    log_.info("identity", {{"spiffe_id", next->spiffe_id},
                           {"valid", identity::validFor(next->certificate_expires, base::wallMicros() / 1'000'000)}});
  reloads(changes.policy ? "policy" : "configuration", "accepted").add();
  if (!everywhere) return {};
  log_.info("reloaded", {{"policy", next->policy->digest().substr(0, 12)},
                         {"changed", changes.policy ? "policy" : "configuration"}});
  return {};
}

void Server::reviewSessions() {
  loops_.post([now = generation_](Loop& loop) { loop.worker->reviewSessions(now->bundles, now->providers); });
}

void Server::announceEnd() {
  draining_ = true;
  audit_->checkpointSoon();
}

void Server::drain(const std::function<bool()>& now) {
  log_.info("draining", {{"connections", std::to_string(gate_.count())}});
  const auto left = std::make_shared<std::atomic<size_t>>(loops_.size());
  loops_.onAll(
      [left](Loop& loop) {
        for (auto& [name, acceptor] : loop.acceptors) acceptor->takeRest();
        loop.acceptors.clear();
        loop.sockets.clear();
        loop.worker->registry.drain([left] { --*left; });
      },
      kReloadWait);
  sockets_.clear();  // so that no client waits in a backlog and a successor can listen
  constexpr int64_t kSignEvery = 1'000'000'000;
  const int64_t until = base::steadyNanos() + generation_->config.shutdown.drain_timeout.count() * 1'000'000;
  for (int64_t signed_at = base::steadyNanos(); *left > 0 && base::steadyNanos() < until && !now();) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (base::steadyNanos() - signed_at < kSignEvery) continue;
    signed_at = base::steadyNanos();
    audit_->checkpointSoon();
  }
  if (*left > 0)
    log_.warning("drain timeout reached, closing the rest", {{"connections", std::to_string(gate_.count())}});
  loops_.onAll([](Loop& loop) { loop.worker->registry.closeAll(); }, kReloadWait);
}

}  // namespace yett::app
