// The running program: loops, listening sockets, audit writer, admin side. Made and driven by the main thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin_server.h"
#include "app/loops.h"
#include "app/main_tasks.h"
#include "audit/writer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "memory/remembered_db.h"
#include "net/listener.h"
#include "policy/policy_set.h"
#include "runtime/generation.h"
#include "sink/exporter.h"

namespace yett::app {

class Server {
 public:
  /// Opens everything that the generation names and begins to serve. `log` and `tasks` outlive the server; what only
  /// the main thread can do for the admin side is handed to `tasks`.
  static Result<std::unique_ptr<Server>> start(std::shared_ptr<const runtime::Generation> generation, base::Logger& log,
                                               MainTasks& tasks);
  /// stop(), where it was not called.
  ~Server();
  Server(const Server&) = delete;

  /// Swaps in a new generation; returns when every loop has taken it, or after two seconds: then people are told, and
  /// the loops that are late take it when they turn again. On failure nothing has changed.
  Status apply(std::shared_ptr<const runtime::Generation> generation);
  /// Whether apply() of it would change anything.
  bool differs(const runtime::Generation& next) const;
  /// An error that names what of it a restart alone can change.
  Status checkRestartOnly(const runtime::Generation& next) const;
  /// What the admin page and the metrics say of the files as they are now: why they are refused, or nothing.
  void showRefusal(const std::vector<std::string>& problems, bool restart_required);
  /// Notes a reload that was refused, for people, metrics and audit log.
  void refused(const std::vector<std::string>& problems);
  /// It shall end: it is not ready any more, goes on accepting, and signs what is recorded. Whoever ends it may not
  /// wait for the rest.
  void announceEnd();
  /// Stops listening, lets exchanges end, and waits for that up to the configured time, or until `now` says so. Signs
  /// meanwhile. REQUIRES: announceEnd().
  void drain(const std::function<bool()>& now);
  /// How it stopped. Other than kWhole, nothing may be destroyed, and the process has to end without that: the log is
  /// written, but a sink waits for its receiver, or a loop does not end.
  enum class Stopped { kWhole, kWithoutSink, kWithoutLoop };
  /// Stops at once what drain() has not ended.
  Stopped stop();

  /// The access log is opened anew.
  void reopenLogs();

  const std::shared_ptr<const runtime::Generation>& generation() const { return generation_; }
  /// A loop failed to take the last generation, and will not by itself: apply() shall be called again.
  bool incomplete() const { return incomplete_; }

 private:
  /// What each loop gets; null where it keeps its own.
  struct Evaluators {
    std::vector<std::unique_ptr<policy::PolicyEvaluator>> policy;
    std::vector<std::unique_ptr<policy::PolicyEvaluator>> shadow;
  };
  /// What a generation changes.
  struct Changes {
    bool policy, shadow;
  };

  Server(std::shared_ptr<const runtime::Generation> generation, base::Logger& log, MainTasks& tasks);
  Status open();
  Status openAccessLog();
  void showConnections();
  void onAcceptFailed(const std::string& listener, int error);
  Status openAudit();
  Status makeLoops();
  Result<Sockets> openSockets(const runtime::Generation& next);
  std::string rememberedBy(const runtime::Generation& generation) const;
  Result<Evaluators> makeEvaluators(const runtime::Generation& next, Changes changes);
  /// False: some loops are late.
  bool distribute(std::shared_ptr<const runtime::Generation> next, const Sockets& sockets, Evaluators evaluators,
                  Changes changes);
  void recordPolicies(const runtime::Generation& next, Changes changes);
  void warnOfUnused(const runtime::Generation& generation);
  void warnOfShadow(const runtime::Generation& generation);
  void recordReload(const runtime::Generation& before, const runtime::Generation& next);
  void take(Loop& loop, const runtime::Generation& next, const Sockets& sockets);
  void record(std::string_view what, std::string_view subject, const std::string& detail);
  admin::AdminContent adminContent();
  std::string policiesJson() const;
  bool everywhere() const;
  std::string statusJson() const;
  std::vector<admin::Condition> readiness() const;
  Result<std::string> command(const std::string& path, const std::string& body, const std::string& peer);
  Result<std::string> erase(const std::string& body, const std::string& peer);

  base::Logger& log_;
  MainTasks& tasks_;
  base::Metrics metrics_;
  std::atomic<int64_t> accept_told_{0};  // steady nanoseconds
  std::unique_ptr<base::LineSink> access_log_;
  net::Gate descriptors_;                     // of connections, both sides
  net::Gate gate_;                            // of callers' connections
  std::unique_ptr<sink::Exporter> exporter_;  // outlives the writer: what it wrote last leaves too
  std::atomic<sink::Exporter*> exporting_{nullptr};
  std::unique_ptr<audit::Writer> audit_;
  std::unique_ptr<memory::RememberedDb> remembered_;  // outlives the evaluators
  Loops loops_;
  Sockets sockets_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> started_{false};
  int64_t started_at_ = 0;                // microseconds since 1970
  std::atomic<uint64_t> generations_{0};  // how many were given to the loops
  bool incomplete_ = false;
  bool stopped_ = false;

  std::shared_ptr<const runtime::Generation> generation_;
  mutable base::Mutex status_mutex_;
  /// What generation_ is, for the admin's threads.
  std::shared_ptr<const runtime::Generation> shown_ YETT_GUARDED_BY(status_mutex_);
  std::string last_refusal_ YETT_GUARDED_BY(status_mutex_);
};

}  // namespace yett::app
