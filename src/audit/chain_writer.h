// Writes the chain: records are added in transactions that either commit or leave no trace. One thread.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "audit/audit_config.h"
#include "audit/chain_tail.h"
#include "audit/log_file.h"
#include "audit/record.h"
#include "audit/signer.h"
#include "audit/taken_page.h"
#include "store/database.h"

namespace yett::audit {

/// The event of a start that found records after the last checkpoint: its detail is "FROM TO". They may be forged, so
/// nothing in them excuses missing records.
inline constexpr std::string_view kUnsignedEvent = "unsigned tail";
/// The event of the first start with a key: earlier records are consistent, but not authenticated.
inline constexpr std::string_view kSigningEvent = "signing begins";

/// The event of a start with a key other than the last one, if the last one did not sign the change. Its detail is
/// "ID -> ID, ..." or "ID -> none, ...".
inline constexpr std::string_view kKeyEvent = "key changed";

class ChainWriter {
 public:
  /// Opens (or creates) the database and continues from its last record. If another key signed last, that key
  /// (config.previous_key_file) signs the change.
  static Result<std::unique_ptr<ChainWriter>> open(const AuditConfig& config);

  /// Succeeds if the database is open. If it is not, tries to open it again.
  Status ready();
  /// The earliest time of a decision in the open block, in microseconds since 1970; nothing: it has none.
  std::optional<int64_t> openTime() const { return tail_.openTime(); }
  /// Begins a transaction of this many records, or more as long as fits() is true.
  Status begin(int64_t records);
  /// Returns the record's sequence number. After an error, call rollback().
  Result<int64_t> add(const Entry& entry);
  Status add(const EventRecord& event);
  /// Does part of the work of commit() in advance.
  void workAhead() { tail_.workAhead(); }
  /// Whether the transaction may take this many more records; if not, commit and begin again.
  bool fits(int64_t records) const { return state_.seq + records + 2 <= state_.leased; }
  /// Adds a checkpoint, the signed head of the chain; without a key, nothing.
  Status addCheckpoint();
  /// Closes the open block.
  Status closeBlock() { return tail_.close(); }
  Status commit();
  /// Restores the state before begin(), so that the same can be retried.
  void rollback();

  /// A clean end: returns unused leased numbers, so that they leave no gap.
  Status close();
  /// Continues in a new file: the old one ends with a checkpoint and is renamed. Returns its new name, or "" if a file
  /// of this log is being opened right now.
  Result<std::string> rotate();
  /// Makes a checkpoint due once a record is unsigned.
  void checkpointSoon() { signer_->soon(); }
  /// Empties write-ahead logs of closed files that could not be emptied because of a reader. Cheap.
  void tidy();
  /// Counts the accepted records, so that the number lost in a crash is known. Null if unavailable.
  TakenPage* taken() { return taken_.get(); }
  /// Skips numbers that will never be used: a visible gap.
  void skip(int64_t records) { state_.seq += records; }

  /// While the log is on hold, nothing in it may be deleted or erased. The hold is stored in the log; an event records
  /// its start and its end.
  bool held() const { return held_; }
  Status setHold(bool on);
  /// Whether an event may excuse missing records. In a signed log this needs a key, since without one no checkpoint
  /// would cover the event.
  bool mayExcuse() const { return signs() || !was_signed_; }
  bool checkpointDue() const { return signer_->due(state_.unsigned_records); }
  /// The last committed checkpoint that this has not returned yet; 0: none.
  int64_t takeCheckpoint() { return std::exchange(committed_checkpoint_, 0); }
  /// The hash of the last checkpoint that was committed, hex.
  const std::string& checkpointHash() const { return committed_hash_; }
  int64_t unsignedRecords() const { return state_.unsigned_records; }
  bool signs() const { return signer_->key() != nullptr; }
  std::string keyName() const { return keyId(signer_->key()->publicKey()); }
  int64_t seq() const { return state_.seq; }
  /// The first record of the open block; INT64_MAX: there is none.
  int64_t openSince() const { return tail_.openSince(); }
  const std::string& logId() const { return log_id_; }
  store::Database& database() { return file_.database(); }
  const std::string& path() const { return config_.database; }

 private:
  explicit ChainWriter(const AuditConfig& config)
      : config_(config), file_(config_.database), tail_(config_.verify_blocks) {}
  Status prepare();
  Status openFile();
  Status beginFile();
  Status lease(int64_t records);
  int64_t nextNumber(int64_t last, int64_t lease);
  void beginCounting();
  Status addGap(int64_t after, int64_t lost);
  Result<std::string> unsignedTail(const std::vector<std::string>& keys);
  Status takeOver();
  Status takeOverIn(const std::string& tail, const std::string& before, const SigningKey* previous);
  Status sign(const SigningKey& key, std::string_view next_key);
  template <typename Work>
  Status transaction(int64_t records, Work work);

  const AuditConfig config_;
  LogFile file_;
  ChainTail tail_;
  std::unique_ptr<Signer> signer_;
  std::unique_ptr<TakenPage> taken_;
  std::string log_id_;

  // What rollback() restores; the tail reloads the rest from the database.
  struct State {
    int64_t seq = 0;               // of the last record, or the last number that must not be used
    int64_t leased = 0;            // numbers up to here are durably leased
    int64_t unsigned_records = 0;  // since the last checkpoint
  };
  State state_;
  State before_;
  std::set<std::string> untidy_;  // closed files that still have a write-ahead log
  int64_t tidied_at_ = 0;         // steady nanoseconds
  bool held_ = false;
  bool was_signed_ = false;
  bool started_ = false;    // this process has opened the log before
  bool guessed_ = false;    // the number of records that an earlier process lost is an upper bound
  bool may_begin_ = true;   // a file may have no records: at the start, and after a rotation
  int64_t checkpoint_ = 0;  // in this transaction
  std::string checkpoint_hash_;
  int64_t committed_checkpoint_ = 0;
  std::string committed_hash_;
  std::vector<std::pair<std::string, std::string>> carried_;  // policies for the next file
};

}  // namespace yett::audit
