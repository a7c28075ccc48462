// The running program: loops and their threads, listening sockets, audit writer, admin side. Made and driven by the
// main thread.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "admin/admin_server.h"
#include "app/event_recorder.h"
#include "audit/writer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache/remembered_db.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "proxy/worker.h"
#include "runtime/generation.h"
#include "sink/exporter.h"

namespace yett::app {

class Server {
 public:
  /// Opens everything that the generation names and begins to serve. `log` outlives the server.
  static Result<std::unique_ptr<Server>> start(std::shared_ptr<const runtime::Generation> generation,
                                               base::Logger& log);
  /// Stops at once what drain() has not ended.
  ~Server();
  Server(const Server&) = delete;

  /// Swaps in a new generation; returns when every loop has taken it. On failure nothing has changed.
  Status apply(std::shared_ptr<const runtime::Generation> generation);
  /// Notes a reload that was refused, for people, metrics, audit log and admin page.
  void refused(const std::vector<std::string>& problems);
  /// Stops listening, lets exchanges end, and waits for that up to the configured time.
  void drain();

  const std::shared_ptr<const runtime::Generation>& generation() const { return generation_; }

 private:
  struct Loop {
    net::EventLoop loop;
    std::unique_ptr<EventRecorder> events;
    std::unique_ptr<proxy::Worker> worker;
    std::map<std::string, std::shared_ptr<proxy::ListenerSlot>> slots;
    std::map<std::string, std::unique_ptr<net::Acceptor>> acceptors;
    std::map<std::string, std::shared_ptr<net::ListeningSocket>> sockets;  // of the acceptors
    std::thread thread;
  };
  using Sockets = std::map<std::string, std::shared_ptr<net::ListeningSocket>>;
  /// What each loop gets; null where it keeps its own.
  struct Evaluators {
    std::vector<std::unique_ptr<policy::PolicyEvaluator>> policy;
    std::vector<std::unique_ptr<policy::PolicyEvaluator>> shadow;
  };
  /// What a generation changes.
  struct Changes {
    bool policy, shadow;
  };

  Server(std::shared_ptr<const runtime::Generation> generation, base::Logger& log);
  Status open();
  Status checkRestartOnly(const runtime::Generation& next) const;
  Result<Sockets> openSockets(const runtime::Generation& next);
  std::string rememberedBy(const runtime::Generation& generation) const;
  Result<Evaluators> makeEvaluators(const runtime::Generation& next, Changes changes);
  void distribute(const runtime::Generation& next, const Sockets& sockets, Evaluators evaluators, Changes changes);
  void recordPolicies(const runtime::Generation& next, Changes changes);
  void warnOfUnused(const runtime::Generation& generation);
  void warnOfShadow(const runtime::Generation& generation);
  void recordReload(const runtime::Generation& before, const runtime::Generation& next);
  void take(Loop& loop, const runtime::Generation& next, const Sockets& sockets);
  template <typename Task>
  void postToLoops(Task task);
  void onAllLoops(const std::function<void(Loop&)>& task);
  void record(std::string_view what, std::string_view subject, const std::string& detail);
  admin::AdminContent adminContent();
  std::string policiesJson() const;
  Result<std::string> erase(const std::string& body);

  base::Logger& log_;
  base::Metrics metrics_;
  std::unique_ptr<base::LineSink> access_log_;
  net::Gate gate_;
  std::unique_ptr<sink::Exporter> exporter_;  // outlives the writer: what it wrote last leaves too
  std::atomic<sink::Exporter*> exporting_{nullptr};
  std::unique_ptr<audit::Writer> audit_;
  std::unique_ptr<cache::RememberedDb> remembered_;  // outlives the evaluators
  std::vector<std::unique_ptr<Loop>> loops_;
  Sockets sockets_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> loops_ready_{false};

  mutable std::mutex status_mutex_;  // protects the two below: the admin's threads read them
  std::shared_ptr<const runtime::Generation> generation_;
  std::string last_refusal_;
};

}  // namespace yett::app
