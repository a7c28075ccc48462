// The audit log's one writing thread. append*() may be called from any thread: it encodes into a bounded queue and
// never waits for the disk. What is accepted is kept until it is written, however often a write fails; only
// at the end, after ten attempts, is it given up.
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

/// What is told on the writer's thread.
struct WriterEvents {
  /// Of the first write that fails, of recovery with "", and of records that are lost at the end.
  std::function<void(const std::string& why)> failed;
  /// All records with tickets up to this one are on disk. Only where the configuration says `strict`; may be empty.
  std::function<void(uint64_t ticket)> durable;
  /// Of each signed checkpoint, so that it can leave the host: its number and hash, and the key's id.
  std::function<void(int64_t seq, const std::string& hash, const std::string& key)> checkpoint = {};
  /// Asked before old records are deleted: those up to this number may be. Null: all.
  std::function<int64_t()> deletable = {};
  /// Of upkeep that failed (retention, rotation): requests go on.
  std::function<void(const std::string& why)> warned = {};
  /// Of a file that was closed because it was full: its name.
  std::function<void(const std::string& name)> rotated = {};
};

class Writer {
 public:
  /// Opens (or makes) the database, checks that it can be gone on from, and starts the thread.
  static Result<std::unique_ptr<Writer>> open(const AuditConfig& config, base::Metrics& metrics, WriterEvents events);
  /// finish(), where it was not called.
  ~Writer();
  /// Writes what is queued, then ends; what comes later is refused. Not from several threads.
  void finish();
  Writer(const Writer&) = delete;

  /// Takes a decision; the ticket joins its outcome to it, and grows with each record of one thread. 0: not taken (full
  /// queue, failing writes, closed): the request must not go on.
  uint64_t append(const DecisionRecord& record);
  /// Takes the outcome of a decision. REQUIRES: once per ticket.
  void append(uint64_t ticket, const OutcomeRecord& record);
  /// A decision's stream goes on. REQUIRES: before its outcome.
  void append(uint64_t ticket, const HeartbeatRecord& record);
  void append(const EventRecord& record);
  /// The source of a policy set, kept once for its digest; before the first decision that was made by it.
  void appendPolicy(const std::string& digest, std::string document);
  /// Runs on the writer's thread, between two batches, and waits for it: for the rare things that somebody asks for.
  /// It begins and commits by itself.
  Status runOnChain(std::function<Status(ChainWriter&)> task);
  /// From here on nothing is deleted or erased, or again.
  void hold(bool on);
  /// A checkpoint of what is recorded, whatever its number and age.
  void checkpointSoon();
  /// From here on runOnChain() fails, and what waits in it fails now.
  void refuseTasks();
  /// Writes succeed, and the disk does not keep what waits for longer than the configuration lets it.
  bool healthy() const {
    return healthy_.load(std::memory_order_relaxed) && !full_.load(std::memory_order_relaxed) && !slow();
  }
  /// How full the queue is: 0 to 1, and up to 4 by what belongs to decisions that were taken.
  double fullness() const { return queue_.fullness(); }
  /// The disk has kept a batch for longer than `commit_timeout`.
  bool slow() const;
  /// Requests wait until their records are on disk.
  bool strict() const { return config_.strict; }
  const AuditConfig& config() const { return config_; }
  /// What of a request may be written down.
  const policy::Recording& recording() const { return recording_; }

 private:
  Writer(const AuditConfig& config, base::Metrics& metrics, WriterEvents events);
  Status prepare();
  uint64_t push(Kind kind, uint64_t ticket, const Encoded& encoded, bool force);
  void run();
  void write(base::BatchQueue::Clock::time_point until);
  Status gather(base::BatchQueue::Clock::time_point until);
  size_t enough() const;
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

  /// Something to be done between two batches.
  struct Task {
    std::function<Status(ChainWriter&)> run;
    std::function<void(Status)> done;  ///< null: tried until it succeeds
  };
  void post(Task task);

  const AuditConfig config_;
  policy::Recording recording_;
  base::BatchQueue queue_;
  std::atomic<bool> healthy_{true};
  std::atomic<bool> full_{false};  // of records that are too young to go
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
  //   taken_                     records that were committed (or given up)
  //   taken_ + batch_records_    and those that are in batch_
  //   place_                     the last that was added to the chain: taken_ <= place_ <= taken_ + batch_records_, and
  //                              taken_ again after a rollback
  //   queue_.pushed()            the last that was appended
  std::atomic<uint64_t> taken_{0};  // written by the writer's thread

  // The writer's thread only.
  std::unique_ptr<ChainWriter> chain_;
  size_t written_since_look_ = 0;  // at the size of the file
  std::unique_ptr<Retention> retention_;
  ClockWatch clock_;
  bool gave_up_ = false;
  std::string broken_by_;     // why writes fail,
  int64_t broken_since_ = 0;  // and since when, steady nanoseconds
  uint64_t place_ = 0;
  std::string batch_;  // since the last commit
  std::string piece_;  // off the queue, and not in the batch yet
  size_t batch_records_ = 0;
  size_t piece_records_ = 0;
  std::pmr::unsynchronized_pool_resource nodes_;                        // of the map: reused without the heap
  std::pmr::unordered_map<uint64_t, int64_t> open_decisions_{&nodes_};  // ticket -> seq
  std::vector<uint64_t> closed_;                                        // tickets whose outcome is in the batch at hand
  std::thread thread_;
};

}  // namespace yett::audit
