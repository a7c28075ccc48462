// The running program: loops, listening sockets, audit writer, admin interface. Created and driven by the main thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin_server.h"
#include "app/confinement.h"
#include "app/loops.h"
#include "app/main_tasks.h"
#include "audit/writer.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "memory/remembered_db.h"
#include "net/listener.h"
#include "policy/policy_set.h"
#include "proxy/listener_config.h"
#include "runtime/generation.h"
#include "sink/exporter.h"
#include "upstream/notice.h"
#include "upstream/watch.h"
#include "workload/bundle_refresher.h"
#include "workload/client.h"

namespace yett::app {

class Server {
 public:
  /// Opens everything that the generation names and starts to serve. `log` and `tasks` must outlive the server; `tasks`
  /// gets the admin commands that only the main thread can run. `confinement`: of this process.
  static Result<std::unique_ptr<Server>> start(std::shared_ptr<const runtime::Generation> generation, base::Logger& log,
                                               MainTasks& tasks, Confinement confinement);
  /// Calls stop() if it was not called.
  ~Server();
  Server(const Server&) = delete;

  /// Swaps in a new generation. Returns when every loop has taken it, or after two seconds: then logs an error, and
  /// blocked loops take it once they continue. On failure nothing has changed.
  Status apply(std::shared_ptr<const runtime::Generation> generation);
  /// Whether apply(next) would change anything.
  bool differs(const runtime::Generation& next) const;
  /// An error that names a change that needs a restart, if there is one.
  Status checkRestartOnly(const runtime::Generation& next) const;
  /// Sets what the admin page and the metrics report about the current files: why they are refused, or nothing.
  void showRefusal(const std::vector<std::string>& problems, bool restart_required);
  /// Reports a refused reload in the log, the metrics and the audit log.
  void refused(const std::vector<std::string>& problems);
  /// Announces the shutdown: reports not ready, still accepts, and signs what is recorded, in case the process is
  /// killed before it has drained.
  void announceEnd();
  /// Stops listening and waits for exchanges to end, up to the configured time or until `now` returns true. Signs
  /// meanwhile. REQUIRES: announceEnd().
  void drain(const std::function<bool()>& now);
  /// How it stopped. Unless kWhole, nothing may be destroyed and the process must exit without cleanup: the log is
  /// written, but a sink still waits for its receiver, or a loop does not stop.
  enum class Stopped { kWhole, kWithoutSink, kWithoutLoop };
  /// Immediately stops what drain() has not ended.
  Stopped stop();

  /// No loop has been blocked for `admin.liveness_stall`.
  bool alive() const { return loops_.stalled(generation_->config.admin.liveness_stall).empty(); }
  /// Checks again whether the callers of open connections are trusted.
  void reviewSessions();
  /// Reopens the access log.
  void reopenLogs();

  /// The sources of the Workload API, if one is configured.
  /// The JWT-SVID of Yett's own for an audience; any thread. Null: there is none now.
  std::shared_ptr<const std::string> ownToken(const std::string& audience) const;
  runtime::ApiSources apiSources() const { return {workload_.get(), workload_.get()}; }
  /// Main thread: readable when the Workload API has given something new; -1: none is configured. Then call
  /// takeGiven().
  int givenFd() const { return given_fd_; }
  void takeGiven() const;
  /// Looks up the names of all clusters again.
  void resolveNow() { watch_.resolveNow(); }

  const Confinement& confinement() const { return confinement_; }
  const std::shared_ptr<const runtime::Generation>& generation() const { return generation_; }
  /// A loop failed to take the last generation and will not retry: call apply() again.
  bool incomplete() const { return incomplete_; }

 private:
  /// The new evaluator of each loop; null: it keeps its own.
  struct Evaluators {
    std::vector<std::unique_ptr<policy::PolicyEvaluator>> policy;
    std::vector<std::unique_ptr<policy::PolicyEvaluator>> shadow;
  };
  /// What a generation changes.
  struct Changes {
    bool policy, shadow;
    bool tokens = false;
  };

  Server(std::shared_ptr<const runtime::Generation> generation, base::Logger& log, MainTasks& tasks,
         Confinement confinement);
  Status open();
  Status openAccessLog();
  void showMetrics();
  void showSeries(const runtime::Generation& generation);
  void showConnections();
  base::Counter& reloads(const char* what, const char* result);
  base::Counter& acceptFailures(const std::string& listener, const std::string& reason);
  std::string metricsText() const;
  void onAcceptFailed(const std::string& listener, int error);
  Status openAudit();
  Status makeLoops();
  std::shared_ptr<net::ListeningSocket> takeEarly(const std::string& address);
  Result<std::shared_ptr<net::ListeningSocket>> openSocket(const proxy::ListenerConfig& listener) const;
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
  std::shared_ptr<const runtime::Generation> shown() const;
  std::string statusJson() const;
  std::vector<admin::Condition> readiness() const;
  std::string certificateState() const;
  Status makeWorkloadClient();
  void onWatch(const upstream::Cluster& cluster, upstream::Notice notice, const std::string& endpoint,
               const std::string& why);
  void tellOfCluster(const std::string& cluster, upstream::Notice notice, const std::string& endpoint,
                     const std::string& why);
  void wantOwnTokens(const runtime::Generation& generation);
  void logServing(const runtime::Generation& generation);
  void onWorkloadApi(const std::string& why);
  std::string identityState() const;
  void onBundle(const std::string& domain, const std::string& why);
  Result<std::string> command(const std::string& path, const std::string& body, const std::string& peer);
  Result<std::string> erase(const std::string& body, const std::string& peer);

  base::Logger& log_;
  MainTasks& tasks_;
  Confinement confinement_;
  base::Metrics metrics_;
  std::atomic<int64_t> accept_told_{0};  // steady nanoseconds
  std::unique_ptr<base::LineSink> access_log_;
  net::Gate descriptors_;                     // of connections, both sides
  net::Gate gate_;                            // of callers' connections
  std::unique_ptr<sink::Exporter> exporter_;  // outlives the writer, to export its last records
  std::atomic<sink::Exporter*> exporting_{nullptr};
  std::unique_ptr<audit::Writer> audit_;
  std::unique_ptr<memory::RememberedDb> remembered_;  // outlives the evaluators
  Loops loops_;
  Sockets sockets_;
  std::unique_ptr<admin::AdminServer> admin_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> started_{false};
  std::atomic<bool> reload_ok_{true};
  std::atomic<int64_t> reloaded_at_{0};   // seconds since 1970
  int64_t started_at_ = 0;                // microseconds since 1970
  std::atomic<uint64_t> generations_{0};  // number of generations given to the loops
  bool incomplete_ = false;
  bool stopped_ = false;

  std::shared_ptr<const runtime::Generation> generation_;
  mutable base::Mutex status_mutex_;
  /// A copy of generation_, for the admin threads.
  std::shared_ptr<const runtime::Generation> shown_ YETT_GUARDED_BY(status_mutex_);
  std::string last_refusal_ YETT_GUARDED_BY(status_mutex_);
  std::string audit_failure_ YETT_GUARDED_BY(status_mutex_);  // why the log cannot be written; "" if it can
  workload::BundleRefresher bundle_refresher_{
      [this](const std::string& domain, const std::string& why) { onBundle(domain, why); }};  // the first to end
  upstream::Watch watch_{[this](const upstream::Cluster& cluster, upstream::Notice notice, const std::string& endpoint,
                                const std::string& why) { onWatch(cluster, notice, endpoint, why); }};
  int given_fd_ = -1;
  std::unique_ptr<workload::Client> workload_;  // null: no Workload API is configured
};

}  // namespace yett::app
