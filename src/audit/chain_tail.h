// The end of the chain: its head, the open block in memory and in table `tail`, and blocks that are done. One thread.
// All it does to the database is part of the transaction that is open there.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "audit/audit_config.h"
#include "audit/block_builder.h"
#include "audit/record.h"
#include "audit/salts.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

/// A record to be. Views: valid during the call that takes it.
struct Entry {
  Kind kind;
  int64_t decision_seq = 0;  ///< of an outcome or heartbeat; 0: its decision was lost
  std::string_view fields;
  uint8_t entries = 0;
  std::string_view personal = {};
  uint8_t personal_entries = 0;
};

class ChainTail {
 public:
  /// What makes the body of a block. Tests have one that errs, and see that its block is not written.
  using Encode = std::string (*)(BlockBuilder& builder, std::string_view salts);
  static std::string encode(BlockBuilder& builder, std::string_view salts) { return builder.body(salts); }

  explicit ChainTail(VerifyBlocks verify, Encode how = encode) : verify_(verify), encode_(how) {}

  /// Goes on from what this file has, after it was opened and after a transaction failed. The database must outlive
  /// what is done here until the next resume(). An error: what is damaged.
  Status resume(store::Database& db);
  /// Of a file that has no record yet: what comes follows this hash.
  void follow(const base::Sha256& head) { head_ = head; }

  /// Hashes a record into the chain and puts it into the open block, which is closed first where it is full.
  Status add(int64_t seq, const Entry& entry);
  /// Some of what put() has to do is done now.
  void workAhead() { builder_.fill(); }
  /// The time of the first decision of the block that is open; nothing: it has none.
  std::optional<int64_t> openTime() const {
    return builder_.empty() || builder_.decisions() == 0 ? std::nullopt : std::optional(builder_.timeMin());
  }
  /// Lets go of the database, so that it can be closed. resume() comes next.
  void release();
  /// What came since the last call goes into table `tail`.
  Status put();
  /// The open block becomes one of table `blocks`, where there is one.
  Status close();

  const base::Sha256& head() const { return head_; }
  /// The number of the last record; 0: the file has none.
  int64_t last() const { return last_; }
  /// The first record of the open block; INT64_MAX: there is none.
  int64_t openSince() const { return builder_.empty() ? INT64_MAX : builder_.firstSeq(); }

 private:
  Status readOpen(store::Database& db);
  Status begin();
  Status addRare(int64_t seq, const Entry& entry, std::string_view bytes, std::string_view salt);

  const VerifyBlocks verify_;
  const Encode encode_;
  store::Database* db_ = nullptr;
  std::unique_ptr<store::Statement> piece_, block_, rare_, event_, caller_, heartbeat_;
  BlockBuilder builder_;
  std::string seed_;  // of the open block's salts
  std::unique_ptr<Salts> salts_;
  base::Sha256 before_{};  // the open block
  base::Sha256 head_{};
  int64_t last_ = 0;
  uint64_t closed_ = 0;  // blocks, since the start
  base::Sha256Hasher hasher_;
  std::string bytes_, personal_;
};

}  // namespace yett::audit
