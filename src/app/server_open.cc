// What the server opens before it serves: logs, the audit writer, loops.
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "app/cluster_notice.h"
#include "app/server.h"
#include "audit/growth.h"
#include "authz/authorizer.h"
#include "base/clock.h"
#include "base/resources.h"
#include "identity/x509_svid.h"
#include "proxy/worker.h"
#include "runtime/memory_plan.h"
#include "sink/exporter.h"
#include "upstream/cluster.h"

namespace yett::app {
namespace {}  // namespace

Status Server::openAccessLog() {
  const std::string& path = generation_->config.access_log;
  if (path == "off") return {};
  const auto told = [this, path](const std::string& why) {
    if (why.empty()) log_.info("access log can be written again", {{"file", path}});
    else log_.error("access log cannot be written correctly", {{"file", path}, {"why", why}});
  };
  if (path == "stdout") {
    access_log_ = std::make_unique<base::LineSink>(STDOUT_FILENO, told);
  } else {
    auto opened = base::LineSink::open(path, told);
    if (!opened) return Error{"access log " + opened.error().message};
    access_log_ = std::move(opened).value();
  }
  metrics_.counted("yett_access_log_lost_lines_total", "access log lines that were lost or only partly written",
                   [log = access_log_.get()] { return static_cast<int64_t>(log->dropped()); });
  return {};
}

void Server::reopenLogs() {
  if (access_log_) access_log_->reopen();
}

void Server::showConnections() {
  metrics_.gauge("yett_connections_limit", "connection limit of all listeners", [this] { return gate_.limit(); });
  metrics_.gauge("yett_descriptors", "open connections from callers and to services, which use descriptors",
                 [this] { return descriptors_.count(); });
  metrics_.gauge("yett_descriptors_limit", "connections that the open file limit (RLIMIT_NOFILE) allows",
                 [this] { return descriptors_.limit(); });
}

// Called by any loop; logs at most once in ten seconds.
void Server::onAcceptFailed(const std::string& listener, int error) {
  constexpr int64_t kEvery = 10'000'000'000;
  const std::string reason = error == 0 ? "limit" : error == EMFILE || error == ENFILE ? "descriptors" : "memory";
  acceptFailures(listener, reason).add();
  const int64_t now = base::steadyNanos();
  int64_t told = accept_told_;
  if ((told != 0 && now - told < kEvery) || !accept_told_.compare_exchange_strong(told, now)) return;
  log_.warning("connections wait in the backlog",
               {{"listener", listener},
                {"why", error == 0 ? "the connection limit is reached" : std::strerror(error)},
                {"connections", std::to_string(gate_.count())},
                {"limit", std::to_string(gate_.limit())}});
}

Status Server::openAudit() {
  const auto& config = generation_->config;
  audit::WriterEvents events;
  events.failed = [this](const std::string& why) {
    {
      const base::Lock lock(status_mutex_);
      audit_failure_ = why;
    }
    if (why.empty()) return log_.info("audit log can be written again");
    log_.error("audit log cannot be written, requests are answered with 503", {{"why", why}});
    loops_.post([](Loop& loop) { loop.worker->subjects.onAuditFailed(); });
  };
  events.durable = [this](uint64_t ticket) { loops_.post([ticket](Loop& loop) { loop.worker->onDurable(ticket); }); };
  events.checkpoint = [this](int64_t seq, const std::string& hash, const std::string& key) {
    log_.info("audit checkpoint", {{"seq", std::to_string(seq)}, {"hash", hash}, {"key", key}});
  };
  if (!config.sinks.empty()) {
    events.deletable = [this]() -> int64_t {
      const auto* exporter = exporting_.load();
      return exporter != nullptr ? exporter->sent() : 0;
    };
  }
  events.warned = [this](const std::string& why) { log_.warning("audit log maintenance failed", {{"why", why}}); };
  events.rotated = [this](const std::string& name) {
    log_.info("audit file closed, continuing in a new one", {{"file", name}});
  };
  audit::AuditConfig settings = config.audit;
  if (settings.instance.empty()) settings.instance = base::hostName();
  settings.spiffe_id = generation_->spiffe_id;
  auto audit = audit::Writer::open(settings, metrics_, std::move(events));
  if (!audit) return std::move(audit).error().within("audit");
  audit_ = std::move(audit).value();
  if (const std::string growth = audit::growthWarning(config.audit); !growth.empty())
    log_.warning("audit log", {{"why", growth}});
  exporter_ = TRY(sink::Exporter::start(
      config.sinks, config.audit.database, metrics_,
      [this](const std::string& sink, const std::string& why) {
        if (why.empty()) return log_.info("audit sink accepts records again", {{"sink", sink}});
        log_.warning("audit sink accepts no records, they wait", {{"sink", sink}, {"why", why}});
      },
      [this](const std::string& sink, int64_t seq, const std::string& why) {
        const std::string detail = "record " + std::to_string(seq) + ": " + why.substr(0, 2048);
        log_.error("audit sink refused a record permanently", {{"sink", sink}, {"why", detail}});
        record("sink refused", sink, detail);
      }));
  exporting_ = exporter_.get();
  return {};
}

Status Server::makeLoops() {
  const auto& config = generation_->config;
  const size_t count = runtime::workersOf(config);
  const auto memory = runtime::planMemory(config, count);
  const proxy::MemoryBudget budget{memory.bodies / count, memory.responses / count};
  const size_t handshakes = memory.most_handshakes / count;
  TRY(loops_.create(count, [this, budget, handshakes](Loop& loop) {
    loop.events = std::make_unique<EventRecorder>(loop.loop, *audit_);
    loop.authorizer = std::make_unique<authz::Authorizer>(*audit_, metrics_);
    const proxy::Worker::Shared shared{
        gate_,
        descriptors_,
        metrics_,
        access_log_.get(),
        [this](const std::string& provider) { bundle_refresher_.hurry("jwt:" + provider); },
        [this](const std::string& audience) { return ownToken(audience); },
        [this, &loop](const upstream::Cluster& cluster, upstream::Notice notice, const std::string& endpoint,
                      const std::string& why) {
          tellOfCluster(cluster.config.name, notice, endpoint, why);
          loop.events->record(eventOf(notice), cluster.config.name + " " + endpoint + " " + why, "", "");
        },
        handshakes};
    loop.worker = std::make_unique<proxy::Worker>(
        loop.loop, *loop.authorizer, shared, budget,
        [&loop](std::string_view what, std::string_view subject, std::string_view about, std::string_view caller) {
          loop.events->record(what, subject, about, caller);
        });
  }));
  if (gate_.limit() < config.max_connections)
    log_.warning(gate_.limit() < memory.most_connections
                     ? "fewer connections than `max_connections`: RLIMIT_NOFILE is too low"
                     : "fewer connections than `max_connections`: memory is too low",
                 {{"connections", std::to_string(gate_.limit())},
                  {"descriptors", std::to_string(base::descriptorLimit())},
                  {"memory", std::to_string(memory.limit >> 20) + "MiB"}});
  if (memory.sum() > memory.limit) log_.warning("may need more memory than is available", {{"memory", memory.text()}});
  return {};
}

}  // namespace yett::app
