#include "app/server.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <latch>

#include "audit/erase.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "runtime/policy_document.h"

namespace yett::app {

Server::Server(std::shared_ptr<const runtime::Generation> generation, base::Logger& log)
    : log_(log), gate_(generation->config.max_connections), generation_(std::move(generation)) {}

Result<std::unique_ptr<Server>> Server::start(std::shared_ptr<const runtime::Generation> generation,
                                              base::Logger& log) {
  std::unique_ptr<Server> out(new Server(std::move(generation), log));
  TRY(out->open());
  return out;
}

Status Server::open() {
  const auto& config = generation_->config;
  if (config.access_log == "stdout") {
    access_log_ = std::make_unique<base::LineSink>(STDOUT_FILENO, false);
  } else if (config.access_log != "off") {
    const int fd = ::open(config.access_log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) return Error{"access log " + config.access_log + ": " + std::strerror(errno)};
    access_log_ = std::make_unique<base::LineSink>(fd, true);
  }
  sockets_ = TRY(openSockets(*generation_));
  audit::WriterEvents events;
  events.failed = [this](const std::string& why) {
    if (why.empty()) return log_.info("audit log writes again");
    log_.error("audit log cannot be written, requests are answered with 503", {{"why", why}});
    postToLoops([](Loop& loop) { loop.worker->onAuditFailed(); });
  };
  events.durable = [this](uint64_t ticket) { postToLoops([ticket](Loop& loop) { loop.worker->onDurable(ticket); }); };
  events.checkpoint = [this](int64_t seq, const std::string& hash, const std::string& key) {
    log_.info("audit checkpoint", {{"seq", std::to_string(seq)}, {"hash", hash}, {"key", key}});
  };
  if (!config.sinks.empty()) {
    events.deletable = [this]() -> int64_t {
      const auto* exporter = exporting_.load();
      return exporter != nullptr ? exporter->sent() : 0;
    };
  }
  events.warned = [this](const std::string& why) { log_.warning("audit log upkeep failed", {{"why", why}}); };
  events.rotated = [this](const std::string& name) {
    log_.info("audit file closed, a new one goes on", {{"file", name}});
  };
  auto audit = audit::Writer::open(config.audit, metrics_, std::move(events));
  if (!audit) return std::move(audit).error().within("audit");
  audit_ = std::move(audit).value();
  exporter_ = TRY(sink::Exporter::start(
      config.sinks, config.audit.database, metrics_, [this](const std::string& sink, const std::string& why) {
        if (why.empty()) return log_.info("audit sink takes records again", {{"sink", sink}});
        log_.warning("audit sink takes no records, they wait", {{"sink", sink}, {"why", why}});
      }));
  exporting_ = exporter_.get();
  if (!config.cache.database.empty() && config.cache.entries > 0) {
    auto remembered = cache::RememberedDb::open(config.cache, metrics_);
    if (!remembered) return std::move(remembered).error().within("cache");
    remembered_ = std::move(remembered).value();
  }
  const size_t count =
      config.workers > 0 ? static_cast<size_t>(config.workers) : std::max(1u, std::thread::hardware_concurrency());
  for (size_t i = 0; i < count; ++i) {
    Loop& loop = *loops_.emplace_back(std::make_unique<Loop>());
    loop.events = std::make_unique<EventRecorder>(loop.loop, *audit_);
    loop.worker = std::make_unique<proxy::Worker>(
        loop.loop, gate_, *audit_, metrics_, access_log_.get(),
        [&loop](std::string_view what, std::string_view subject, std::string_view about, std::string_view caller) {
          loop.events->record(what, subject, about, caller);
        });
  }
  const Changes all{true, generation_->shadow != nullptr};
  Evaluators evaluators = TRY(makeEvaluators(*generation_, all));
  recordPolicies(*generation_, all);
  admin_ = TRY(admin::AdminServer::start(config.admin, adminContent()));
  loops_ready_.store(true, std::memory_order_release);
  for (auto& loop : loops_) loop->thread = std::thread([l = loop.get()] { l->loop.run(); });
  record("start", config.file,
         "version " YETT_VERSION "; policy " + generation_->policy->digest() + "; configuration " +
             base::sha256Hex(config.text) + (generation_->shadow ? "; shadow " + generation_->shadow->digest() : ""));
  warnOfShadow(*generation_);
  warnOfUnused(*generation_);
  distribute(*generation_, sockets_, std::move(evaluators), all);
  for (const auto& [name, socket] : sockets_)
    log_.info("listening", {{"listener", name}, {"address", socket->address()}});
  if (!admin_->address().empty()) log_.info("admin listening", {{"address", admin_->address()}});
  log_.info("serving", {{"workers", std::to_string(count)}, {"policy", generation_->policy->digest().substr(0, 12)}});
  return {};
}

Server::~Server() {
  if (audit_) audit_->refuseTasks();  // the admin's threads may wait for one
  admin_.reset();
  draining_ = true;
  for (auto& loop : loops_) {
    if (!loop->thread.joinable()) continue;
    loop->loop.post([l = loop.get()] {
      l->acceptors.clear();
      l->events->flush();
      l->worker->closeAll();
    });
    loop->loop.stop();
    loop->thread.join();
  }
  if (audit_) record("stop", generation_->config.file, "");
  for (auto& loop : loops_) {
    loop->worker.reset();
    loop->events.reset();
  }
  audit_.reset();  // its thread posts to the loops
  exporting_ = nullptr;
}

// From the writer's thread, which begins to write once there are loops.
template <typename Task>
void Server::postToLoops(Task task) {
  if (!loops_ready_.load(std::memory_order_acquire)) return;
  for (auto& loop : loops_) loop->loop.post([task, l = loop.get()] { task(*l); });
}

void Server::onAllLoops(const std::function<void(Loop&)>& task) {
  std::latch done(static_cast<ptrdiff_t>(loops_.size()));
  for (auto& loop : loops_) {
    loop->loop.post([&task, &done, l = loop.get()] {
      task(*l);
      done.count_down();
    });
  }
  done.wait();
}

Status Server::checkRestartOnly(const runtime::Generation& next) const {
  const auto& now = generation_->config;
  const auto& then = next.config;
  const auto needs = [](const char* what) {
    return Error{std::string(what) + " cannot be changed while running: restart yett for it, or change it back"};
  };
  if (now.workers != then.workers) return needs("`workers`");
  if (!(now.audit == then.audit) || !(now.sinks == then.sinks)) return needs("`audit`");
  if (!(now.cache == then.cache)) return needs("`cache`");
  if (!(now.admin == then.admin)) return needs("`admin`");
  if (now.access_log != then.access_log) return needs("`access_log`");
  if (now.max_connections != then.max_connections) return needs("`max_connections`");
  return {};
}

Result<Server::Sockets> Server::openSockets(const runtime::Generation& next) {
  Sockets out;
  for (const auto& [name, state] : next.listeners) {
    const auto before = sockets_.find(name);
    const bool same =
        before != sockets_.end() && generation_->listeners.at(name)->config.address == state->config.address &&
        generation_->listeners.at(name)->config.socket_mode == state->config.socket_mode;
    out[name] = same ? before->second : TRY(net::ListeningSocket::open(state->config.address, state->config.socket_mode));
  }
  return out;
}

// What results on disk rest on, beside their reads: with other masks other values may stand there.
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
  loop.worker->pools.update(next.clusters);
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
    const auto handshakes = [&](const char* result) {
      return &metrics_.counter("yett_handshakes_total", {{"listener", name}, {"result", result}}, "TLS handshakes by their end");
    };
    if (state->tls) slot->handshakes_done = handshakes("done"), slot->handshakes_failed = handshakes("failed");
    if (loop.acceptors.contains(name)) continue;
    loop.acceptors[name] = std::make_unique<net::Acceptor>(
        loop.loop, sockets.at(name), gate_,
        [&loop, slot](Poco::Net::StreamSocket socket) { loop.worker->accept(slot, std::move(socket)); });
  }
}

void Server::distribute(const runtime::Generation& next, const Sockets& sockets, Evaluators evaluators,
                        Changes changes) {
  if (remembered_ && changes.policy) remembered_->dropOthers(rememberedBy(next));
  // Each loop swaps policy, routes and clusters between two events, so no request sees a mix. What it gives back (a
  // large Lua state, maybe) dies here, not on the loop.
  std::atomic<size_t> index{0};
  std::map<Loop*, size_t> order;
  for (auto& loop : loops_) order[loop.get()] = index++;
  onAllLoops([&](Loop& loop) {
    auto& mine = evaluators.policy[order.at(&loop)];
    auto& shadow = evaluators.shadow[order.at(&loop)];
    if (changes.policy) mine = loop.worker->authorizer.swap(std::move(mine));
    if (changes.shadow) shadow = loop.worker->authorizer.swapShadow(std::move(shadow));
    take(loop, next, sockets);
    if (changes.policy) loop.worker->recheckOpen();
    loop.worker->reviewSessions(next.bundles);
  });
}

Status Server::apply(std::shared_ptr<const runtime::Generation> next) {
  TRY(checkRestartOnly(*next));
  const Changes changes{next->policy != generation_->policy, next->shadow != generation_->shadow};
  Sockets sockets = TRY(openSockets(*next));
  Evaluators evaluators = TRY(makeEvaluators(*next, changes));
  recordPolicies(*next, changes);
  recordReload(*generation_, *next);
  warnOfShadow(*next);
  if (changes.policy) warnOfUnused(*next);
  distribute(*next, sockets, std::move(evaluators), changes);
  sockets_ = std::move(sockets);
  {
    const std::lock_guard lock(status_mutex_);
    generation_ = next;
    last_refusal_.clear();
  }
  metrics_
      .counter("yett_reloads_total", {{"what", changes.policy ? "policy" : "configuration"}, {"result", "accepted"}},
               "reloads by their result")
      .add();
  log_.info("reloaded", {{"policy", next->policy->digest().substr(0, 12)},
                         {"changed", changes.policy ? "policy" : "configuration"}});
  return {};
}

// Before the first decision by it.
void Server::recordPolicies(const runtime::Generation& next, Changes changes) {
  if (changes.policy) audit_->appendPolicy(next.policy->digest(), runtime::documentOf(*next.policy));
  if (changes.shadow && next.shadow) audit_->appendPolicy(next.shadow->digest(), runtime::documentOf(*next.shadow));
}

// A file that looks like a rule and is none must not go unseen.
void Server::warnOfUnused(const runtime::Generation& generation) {
  for (const auto& engine : generation.policy->engines()) {
    for (const auto& file : engine.rules->unusedFiles()) log_.warning("policy", {{"engine", engine.name}, {"file", file}});
  }
}

void Server::warnOfShadow(const runtime::Generation& generation) {
  for (const auto& problem : generation.shadow_problems) {
    log_.error("policy in the shadow refused, the one before goes on", {{"problem", problem}});
    record("reload refused", generation.config.file, problem.substr(0, 4096));
  }
  if (generation.shadow_problems.empty()) return;
  metrics_.counter("yett_reloads_total", {{"what", "shadow"}, {"result", "refused"}}, "reloads by their result").add();
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
  add("certificates", base::hex(before.tls_digest), base::hex(next.tls_digest));
  record("reload accepted", next.config.file, detail.empty() ? "nothing has changed" : detail);
}

void Server::refused(const std::vector<std::string>& problems) {
  const std::string all = base::joined(problems, "; ");
  {
    const std::lock_guard lock(status_mutex_);
    last_refusal_ = all;
  }
  metrics_.counter("yett_reloads_total", {{"what", "any"}, {"result", "refused"}}, "reloads by their result").add();
  record("reload refused", generation_->config.file, all.substr(0, 4096));
  for (const auto& problem : problems) log_.error("reload refused, the old generation goes on", {{"problem", problem}});
}

void Server::record(std::string_view what, std::string_view subject, const std::string& detail) {
  audit_->append(audit::EventRecord{base::wallMicros(), what, subject, detail, 1});
}

void Server::drain() {
  log_.info("draining", {{"connections", std::to_string(gate_.count())}});
  draining_ = true;
  std::atomic<size_t> left{loops_.size()};
  onAllLoops([&](Loop& loop) {
    loop.acceptors.clear();
    loop.worker->drain([&left] { --left; });
  });
  const int64_t until = base::steadyNanos() + generation_->config.drain_timeout.count() * 1'000'000;
  while (left > 0 && base::steadyNanos() < until) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  if (left > 0)
    log_.warning("drain timeout over, closing what is left", {{"connections", std::to_string(gate_.count())}});
  // Nothing may refer to `left` any more.
  onAllLoops([](Loop& loop) { loop.worker->closeAll(); });
}

admin::AdminContent Server::adminContent() {
  admin::AdminContent out;
  out.not_ready = [this]() -> std::string {
    if (draining_) return "draining";
    return audit_->healthy() ? "" : "the audit log cannot be written";
  };
  out.metrics = [this] {
    std::string digest;
    {
      const std::lock_guard lock(status_mutex_);
      digest = generation_->policy->digest();
    }
    return metrics_.text() +
           "# HELP yett_policy_info the policy in force\n# TYPE yett_policy_info gauge\nyett_policy_info{digest=\"" +
           digest + "\"} 1\n";
  };
  out.version = [] { return std::string("{\"name\":\"yett\",\"version\":\"" YETT_VERSION "\"}\n"); };
  out.erase = [this](const std::string& body) { return erase(body); };
  out.policies = [this] { return policiesJson(); };
  out.config = [this] {
    const std::lock_guard lock(status_mutex_);
    return generation_->config.text;
  };
  return out;
}

Result<std::string> Server::erase(const std::string& body) {
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
  if (named == known.end()) return Error{"`" + base::printable(file->text) + "` is no file of this audit log"};
  std::vector<int64_t> seqs;
  for (const auto& item : records->items) seqs.push_back(item.integer);
  std::sort(seqs.begin(), seqs.end());
  seqs.erase(std::unique(seqs.begin(), seqs.end()), seqs.end());
  int64_t count = 0;
  TRY(audit_->runOnChain([&](audit::ChainWriter& chain) -> Status {
    count = TRY(audit::erase(chain, *named, seqs, why->text));
    return audit::eraseTraces(chain);
  }));
  return std::to_string(count);
}

std::string Server::policiesJson() const {
  std::shared_ptr<const policy::PolicySet> set;
  std::string refusal;
  {
    const std::lock_guard lock(status_mutex_);
    set = generation_->policy;
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
