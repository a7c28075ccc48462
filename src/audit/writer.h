// The audit log's one writing thread. append*() may be called from any thread: it encodes into a bounded queue and
// never waits for the disk. What is accepted is kept until it is written, however often a write fails.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "audit/audit_config.h"
#include "audit/checkpoint.h"
#include "audit/record.h"
#include "base/batch_queue.h"
#include "base/metrics.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

/// What is told on the writer's thread.
struct WriterEvents {
  /// Of each failing write, and of recovery with "".
  std::function<void(const std::string& why)> failed;
  /// All records with tickets up to this one are on disk. Only where the configuration says `strict`; may be empty.
  std::function<void(uint64_t ticket)> durable;
  /// Of each signed checkpoint, so that it can leave the host: its number and hash, and the key's id.
  std::function<void(int64_t seq, const std::string& hash, const std::string& key)> checkpoint = {};
};

class Writer {
 public:
  /// Opens (or makes) the database, checks that its last link is whole, and starts the thread.
  static Result<std::unique_ptr<Writer>> open(const AuditConfig& config, base::Metrics& metrics, WriterEvents events);
  /// Writes what is queued, then ends.
  ~Writer();
  Writer(const Writer&) = delete;

  /// Takes a decision; the ticket joins its outcome to it, and grows with each record of one thread. 0: not taken (full
  /// queue, failing writes, closed): the request must not go on.
  uint64_t append(const DecisionRecord& record);
  /// Takes the outcome of a decision. REQUIRES: once per ticket.
  void append(uint64_t ticket, const OutcomeRecord& record);
  void append(const EventRecord& record);
  /// Writes succeed.
  bool healthy() const { return healthy_.load(std::memory_order_relaxed); }
  /// Requests wait until their records are on disk.
  bool strict() const { return config_.strict; }

 private:
  Writer(const AuditConfig& config, base::Metrics& metrics, WriterEvents events);
  Status prepare();
  Status readLogId();
  uint64_t push(Kind kind, uint64_t ticket, std::string_view fields, uint8_t entries, bool force);
  void run();
  Status writeBatch(const std::string& batch);
  Status writeRecord(Kind kind, uint64_t ticket, std::string_view fields, uint8_t entries);
  Status writeLease(int64_t upto);
  bool checkpointDue() const;
  Status writeCheckpoint();
  void signNow();

  const AuditConfig config_;
  base::BatchQueue queue_;
  std::atomic<bool> healthy_{true};
  const WriterEvents events_;
  base::Counter& written_;

  // The writer's thread only.
  std::unique_ptr<store::Database> database_;
  std::vector<store::Statement> inserts_;  // by Kind, the link's at kLog
  std::unique_ptr<store::Statement> lease_;
  base::Sha256Hasher hasher_;
  base::Sha256 head_{};
  uint64_t taken_ = 0;  // records off the queue before the batch at hand
  int64_t seq_ = 0;
  int64_t leased_ = 0;
  int64_t written_since_checkpoint_ = 0;
  std::unordered_map<uint64_t, int64_t> open_decisions_;  // ticket -> seq
  std::vector<uint64_t> closed_;                          // tickets whose outcome is in the batch at hand
  std::shared_ptr<const SigningKey> key_;                 // null: no checkpoints
  std::string log_id_;
  int64_t unsigned_ = 0;    // links since the last checkpoint
  int64_t signed_at_ = 0;   // steady nanoseconds
  int64_t signed_seq_ = 0;  // of a checkpoint in the batch at hand; 0: none
  bool sign_soon_ = false;  // a reload is worth a checkpoint
  std::string bytes_;
  std::thread thread_;
};

}  // namespace yett::audit
