// The audit log's one writing thread. append*() may be called from any thread: it encodes into a bounded queue and
// never waits for the disk. Accepted records are kept until they are written, however often a write fails; only at
// shutdown, after ten attempts, they are dropped.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <memory_resource>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "audit/audit_config.h"
#include "audit/chain_writer.h"
#include "audit/clock_watch.h"
#include "audit/record.h"
#include "audit/retention.h"
#include "audit/wal_watch.h"
#include "base/batch_queue.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "policy/recording.h"

namespace yett::audit {

/// Callbacks on the writer's thread.
struct WriterEvents {
  /// The first write that fails, recovery (""), and records that are lost at shutdown.
  std::function<void(const std::string& why)> failed;
  /// All records with tickets up to this one are on disk. Only in `strict` mode; may be empty.
  std::function<void(uint64_t ticket)> durable;
  /// Each signed checkpoint, so that it can be sent off the host: its number and hash, and the key's id.
  std::function<void(int64_t seq, const std::string& hash, const std::string& key)> checkpoint = {};
  /// Called before old records are deleted: records up to this number may be. Null: all.
  std::function<int64_t()> deletable = {};
  /// Failed upkeep (retention, rotation), which does not affect requests.
  std::function<void(const std::string& why)> warned = {};
  /// A file was closed because it was full: its name.
  std::function<void(const std::string& name)> rotated = {};
};

class Writer {
 public:
  /// Opens (or creates) the database, checks that it can be continued, and starts the thread.
  static Result<std::unique_ptr<Writer>> open(const AuditConfig& config, base::Metrics& metrics, WriterEvents events);
  /// Calls finish() if it was not called.
  ~Writer();
  /// Writes what is queued, then ends; later records are refused. Must not be called from several threads.
  void finish();
  Writer(const Writer&) = delete;

  /// Accepts a decision. The ticket links its outcome to it, and grows with each record of one thread. 0: not accepted
  /// (full queue, failing writes, closed): the request must not be forwarded.
  uint64_t append(const DecisionRecord& record);
  /// Accepts the outcome of a decision. REQUIRES: once per ticket.
  void append(uint64_t ticket, const OutcomeRecord& record);
  /// A decision's stream is still open. REQUIRES: before its outcome.
  void append(uint64_t ticket, const HeartbeatRecord& record);
  /// Its ticket, as of decisions.
  uint64_t append(const EventRecord& record);
  /// The source of a policy set, stored once per digest. Call it before the first decision by that policy set.
  void appendPolicy(const std::string& digest, std::string document);
  /// Runs a task on the writer's thread, between two batches, and waits for it: for rare requests of operators. It
  /// begins and commits its own transactions.
  Status runOnChain(std::function<Status(ChainWriter&)> task);
  /// On: nothing is deleted or erased from now on. Off: ends that.
  void hold(bool on);
  /// Makes a checkpoint due, whatever the number and age of records.
  void checkpointSoon();
  /// From now on runOnChain() fails; calls that are waiting fail immediately.
  void refuseTasks();
  /// Writes succeed, the log is not full, and no batch takes longer than `commit_timeout`.
  bool healthy() const {
    return healthy_.load(std::memory_order_relaxed) && !full_.load(std::memory_order_relaxed) && !slow();
  }
  /// How full the queue is: 0 to 1, and up to 4 with records that belong to accepted decisions.
  double fullness() const { return queue_.fullness(); }
  /// The current batch has taken longer than `commit_timeout`.
  bool slow() const;
  /// Requests wait until their records are on disk.
  bool strict() const { return config_.strict; }
  const AuditConfig& config() const { return config_; }
  /// Which parts of a request may be recorded.
  const policy::Recording& recording() const { return recording_; }

 private:
  Writer(const AuditConfig& config, base::Metrics& metrics, WriterEvents events);
  Status prepare();
  uint64_t push(Kind kind, uint64_t ticket, const Encoded& encoded, bool force);
  void run();
  void write(base::BatchQueue::Clock::time_point until);
  Status gather(base::BatchQueue::Clock::time_point until);
  size_t enough() const;
  void beginTurn();
  Status writeAgain();
  void broke(const std::string& why);
  void recovered();
  void giveUp(const std::string& why);
  Status beginBatch();
  Status writeCheckpoint();
  Status addToChain(std::string_view records);
  Status commit(bool checkpoint);
  Status undo(Status why);
  void noteWritten();
  void moveIntoDatabase();
  void runTasks();
  void keepHouse(bool& busy);
  void lookAtClock();
  bool tasksWait();
  void tell();
  void endChain();
  void warn(const std::string& what, const Error& error);

  /// A task to run between two batches.
  struct Task {
    std::function<Status(ChainWriter&)> run;
    std::function<void(Status)> done;  ///< null: retried until it succeeds
  };
  void post(Task task);

  const AuditConfig config_;
  policy::Recording recording_;
  base::BatchQueue queue_;
  std::atomic<bool> healthy_{true};
  std::atomic<bool> full_{false};  // of records that are too young to be deleted
  WalWatch wal_;
  std::atomic<int64_t> writing_since_{0};  // steady nanoseconds; 0: no batch is on its way to the disk
  const WriterEvents events_;
  base::Counter& written_;
  base::Counter& failures_;
  base::Counter& bytes_;
  base::Mutex tasks_mutex_;
  std::deque<Task> tasks_ YETT_GUARDED_BY(tasks_mutex_);
  bool ended_ YETT_GUARDED_BY(tasks_mutex_) = false;  // the thread takes no more tasks

  // Places count records from the start of the process; a ticket is the place of its record.
  //
  //   taken_                     records that were committed (or dropped)
  //   taken_ + batch_records_    the same, plus those in batch_
  //   place_                     the last that was added to the chain: taken_ <= place_ <= taken_ + batch_records_, and
  //                              taken_ again after a rollback
  //   queue_.pushed()            the last that was appended
  std::atomic<uint64_t> taken_{0};  // written by the writer's thread

  // The writer's thread only.
  std::unique_ptr<ChainWriter> chain_;
  size_t written_since_look_ = 0;  // records since the file size was checked
  std::unique_ptr<Retention> retention_;
  ClockWatch clock_;
  bool gave_up_ = false;
  std::string broken_by_;     // why writes fail,
  int64_t broken_since_ = 0;  // and since when, steady nanoseconds
  uint64_t place_ = 0;
  std::string batch_;  // since the last commit
  std::string piece_;  // taken from the queue, not in the batch yet
  size_t batch_records_ = 0;
  size_t piece_records_ = 0;
  std::pmr::unsynchronized_pool_resource nodes_;                        // of the map: reused without the heap
  std::pmr::unordered_map<uint64_t, int64_t> open_decisions_{&nodes_};  // ticket -> seq
  std::vector<uint64_t> closed_;                                        // tickets whose outcome is in the current batch
  std::thread thread_;
};

}  // namespace yett::audit
