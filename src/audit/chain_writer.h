// The end of the chain on disk: links are added in transactions that hold or leave no trace. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "audit/audit_config.h"
#include "audit/block_filter.h"
#include "audit/checkpoint.h"
#include "audit/log_files.h"
#include "audit/record.h"
#include "base/arena.h"
#include "base/sha256.h"
#include "store/bulk_insert.h"
#include "store/database.h"

namespace yett::audit {

/// A link to be. Views: valid during the call that takes it.
struct Entry {
  Kind kind;
  int64_t decision_seq = 0;  ///< of an outcome or heartbeat; 0: its decision was lost
  std::string_view fields;
  uint8_t entries = 0;
  std::string_view personal = {};
  uint8_t personal_entries = 0;
};

/// The event of a start that found links after the last checkpoint: its detail is "FROM TO". Nobody can tell whether
/// they are those that were written, so nothing in them excuses what is missing.
inline constexpr std::string_view kUnsignedEvent = "unsigned tail";
/// The event of a start with a key on a log that never had one: what is before it is consistent, not authenticated.
inline constexpr std::string_view kSigningEvent = "signing begins";

class ChainWriter {
 public:
  /// Opens (or makes) the database and looks at its last link. Where the key is another than the one that signed last,
  /// the key before it (config.previous_key_file) signs the change.
  static Result<std::unique_ptr<ChainWriter>> open(const AuditConfig& config);

  /// True once the database is open; tries again where it could not be opened anew.
  Status ready();
  /// Begins a transaction of so many links; of more, as long as fits().
  Status begin(int64_t links);
  /// Its sequence number. After an error: rollback().
  Result<int64_t> add(const Entry& entry);
  Status add(const EventRecord& event);
  /// What was added so far goes into its tables, so that commit() has less to do.
  Status insertRows();
  /// Whether the transaction may go on with so many links; if not, commit and begin again.
  bool fits(int64_t links) const { return seq_ + links + 2 <= state_.leased; }
  /// The chain's head, signed; where there is no key, nothing.
  Status addCheckpoint();
  Status commit();
  /// Everything is as it was, so that the same can be tried again.
  void rollback();

  /// A clean end: what is leased is given back, so that it leaves no gap.
  Status close();
  /// Goes on in a new file: the old one ends with a checkpoint and gets a name of its own, which is returned; "" where
  /// somebody reads the files of this log, and it must wait.
  Result<std::string> rotate();
  /// Numbers that will never be used: a gap that anyone can see.
  void skip(int64_t links) { seq_ += links; }

  /// Whether an event may excuse that something is missing: of a log that was signed, only with a key, for no
  /// checkpoint would cover it.
  bool mayExcuse() const { return key_ != nullptr || !was_signed_; }
  bool checkpointDue() const;
  /// The last checkpoint that was committed and not taken yet; 0: none.
  int64_t takeCheckpoint() { return std::exchange(committed_checkpoint_, 0); }
  /// The hash of the last checkpoint that was committed, hex.
  const std::string& checkpointHash() const { return committed_hash_; }
  int64_t unsignedLinks() const { return state_.unsigned_links; }
  /// What was erased must not be asked for in the open block's filter either: it says nothing, then.
  void forgetFilter() { filter_forgotten_ = true; }
  bool signs() const { return key_ != nullptr; }
  std::string keyName() const { return keyId(key_->publicKey()); }
  int64_t seq() const { return seq_; }
  const std::string& logId() const { return log_id_; }
  store::Database& database() { return *database_; }
  const std::string& path() const { return config_.database; }

 private:
  explicit ChainWriter(const AuditConfig& config) : config_(config) {}
  Status prepare();
  Status openFile();
  Status carryPolicies();
  Result<std::string> unsignedTail(const std::vector<std::string>& keys);
  Status takeOver();
  Status takeOverIn(const std::string& tail, const std::string& before, const SigningKey* previous);
  Result<bool> readEnd(store::Database& db);
  Status noteGap();
  Status addFirstLink();
  Status refillBlock();
  Status writeLease(int64_t upto);
  Status addRow(Kind kind, int64_t seq, const Fields& values, std::string_view salt);
  void forgetRows();
  Status flushBlock();
  Status sign(const SigningKey& key, std::string_view next_key);
  Result<std::string_view> newSalt();

  const AuditConfig config_;
  std::unique_ptr<store::Database> database_;
  std::vector<std::unique_ptr<store::BulkInsert>> inserts_;  // by Kind, the link's at kLog; then event_callers
  base::Arena rows_;                                         // what they refer to until they are run
  std::unique_ptr<store::Statement> lease_;
  std::unique_ptr<store::Statement> block_;
  std::shared_ptr<const SigningKey> key_;  // null: no checkpoints
  std::string log_id_;
  base::Sha256Hasher hasher_;

  // What rollback() restores.
  struct State {
    base::Sha256 head{};
    int64_t seq = 0;
    int64_t leased = 0;
    int64_t unsigned_links = 0;  // since the last checkpoint
    int64_t block_first = 0;     // 0: no decision in the open block
    int64_t block_count = 0;
  };
  State state_;
  State before_;
  int64_t written_ = 0;  // seq of the last link that prepare() found
  int64_t& seq_ = state_.seq;
  BlockFilter filter_;
  int64_t block_min_ = 0;
  int64_t block_max_ = 0;
  bool flushed_ = false;  // a block was written in this transaction

  int64_t signed_at_ = 0;  // steady nanoseconds
  bool was_signed_ = false;
  int64_t checkpoint_ = 0;
  std::string checkpoint_hash_;
  std::string committed_hash_;
  bool filter_forgotten_ = false;
  bool block_unknown_ = false;                                // its times and its beginning are not known
  std::vector<std::pair<std::string, std::string>> carried_;  // policies for the next file
  int64_t committed_checkpoint_ = 0;
  bool sign_soon_ = false;
  std::string bytes_;
  std::string personal_;
  std::string salts_;
  size_t salts_used_ = 0;
};

}  // namespace yett::audit
