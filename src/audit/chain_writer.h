// The chain as it is written: records are added in transactions that hold or leave no trace. One thread.
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

/// The event of a start that found records after the last checkpoint: its detail is "FROM TO". Nobody can tell whether
/// they are those that were written, so nothing in them excuses what is missing.
inline constexpr std::string_view kUnsignedEvent = "unsigned tail";
/// The event of a start with a key on a log that never had one: what is before it is consistent, not authenticated.
inline constexpr std::string_view kSigningEvent = "signing begins";

/// The event of a start with another key than the one that signed last, which did not sign the change. Its detail is
/// "ID -> ID, ..." or "ID -> none, ...".
inline constexpr std::string_view kKeyEvent = "key changed";

class ChainWriter {
 public:
  /// Opens (or makes) the database and goes on from its last record. Where the key is another than the one that signed
  /// last, the key before it (config.previous_key_file) signs the change.
  static Result<std::unique_ptr<ChainWriter>> open(const AuditConfig& config);

  /// True once the database is open; tries again where it could not be opened anew.
  Status ready();
  /// The time of the first decision of the block that is open, microseconds since 1970; nothing: it has none.
  std::optional<int64_t> openTime() const { return tail_.openTime(); }
  /// Begins a transaction of so many records; of more, as long as fits().
  Status begin(int64_t records);
  /// Its sequence number. After an error: rollback().
  Result<int64_t> add(const Entry& entry);
  Status add(const EventRecord& event);
  /// Some of what commit() has to do is done now.
  void workAhead() { tail_.workAhead(); }
  /// Whether the transaction may go on with so many records; if not, commit and begin again.
  bool fits(int64_t records) const { return state_.seq + records + 2 <= state_.leased; }
  /// The chain's head, signed; where there is no key, nothing.
  Status addCheckpoint();
  /// The open block becomes one that is done.
  Status closeBlock() { return tail_.close(); }
  Status commit();
  /// Everything is as it was, so that the same can be tried again.
  void rollback();

  /// A clean end: what is leased is given back, so that it leaves no gap.
  Status close();
  /// Goes on in a new file: the old one ends with a checkpoint and gets a name of its own, which is returned; "" where
  /// somebody opens a file of this log at this moment.
  Result<std::string> rotate();
  /// The next transaction makes a checkpoint due.
  void checkpointSoon() { signer_->soon(); }
  /// Empties the write-ahead logs of closed files that a reader kept from being emptied. Cheap.
  void tidy();
  /// What counts the records that were taken, so that what a crash loses is known. Null where there is none.
  TakenPage* taken() { return taken_.get(); }
  /// Numbers that will never be used: a gap that anyone can see.
  void skip(int64_t records) { state_.seq += records; }

  /// Nothing of the log may be deleted or erased. It is kept in the log until it is ended, with an event of each.
  bool held() const { return held_; }
  Status setHold(bool on);
  /// Whether an event may excuse that something is missing: of a log that was signed, only with a key, for no
  /// checkpoint would cover it.
  bool mayExcuse() const { return signs() || !was_signed_; }
  bool checkpointDue() const { return signer_->due(state_.unsigned_records); }
  /// The last checkpoint that was committed and not taken yet; 0: none.
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

  // What rollback() restores; the rest of it the tail reads again.
  struct State {
    int64_t seq = 0;               // of the last record, or of the last that may not be used
    int64_t leased = 0;            // numbers up to here are taken durably
    int64_t unsigned_records = 0;  // since the last checkpoint
  };
  State state_;
  State before_;
  std::set<std::string> untidy_;  // closed files that still have a write-ahead log
  int64_t tidied_at_ = 0;         // steady nanoseconds
  bool held_ = false;
  bool was_signed_ = false;
  bool started_ = false;    // by this process
  bool guessed_ = false;    // what an earlier one lost: it is no more than that
  bool may_begin_ = true;   // a file without records: at the start, and after a rotation
  int64_t checkpoint_ = 0;  // in this transaction
  std::string checkpoint_hash_;
  int64_t committed_checkpoint_ = 0;
  std::string committed_hash_;
  std::vector<std::pair<std::string, std::string>> carried_;  // policies for the next file
};

}  // namespace yett::audit
