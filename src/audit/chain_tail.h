// The end of the chain: keeps its head and the open block (in memory and in table `tail`), and closes blocks. One
// thread. All its writes are part of the database's current transaction.
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

/// A record to be added. Views: valid during the call that takes it.
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
  /// Encodes the body of a block. Tests use a faulty one to check that its block is not written.
  using Encode = std::string (*)(BlockBuilder& builder, std::string_view salts);
  static std::string encode(BlockBuilder& builder, std::string_view salts) { return builder.body(salts); }

  explicit ChainTail(VerifyBlocks verify, Encode how = encode) : verify_(verify), encode_(how) {}

  /// Reloads the state from this file, after it was opened or a transaction failed. The database must stay open until
  /// release() or the next resume(). An error says what is damaged.
  Status resume(store::Database& db);
  /// For a file without records: the first one follows this hash.
  void follow(const base::Sha256& head) { head_ = head; }

  /// Hashes a record into the chain and adds it to the open block. If that is full, it is closed first.
  Status add(int64_t seq, const Entry& entry);
  /// Does part of the work of put() in advance.
  void workAhead() { builder_.fill(); }
  /// The earliest time of a decision in the open block; nothing: it has none.
  std::optional<int64_t> openTime() const {
    return builder_.empty() || builder_.decisions() == 0 ? std::nullopt : std::optional(builder_.timeMin());
  }
  /// Releases the database, so that it can be closed. Call resume() next.
  void release();
  /// Writes the records since the last call to table `tail`.
  Status put();
  /// Moves the open block, if any, to table `blocks`.
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
  base::Sha256 before_{};  // the hash before the open block
  base::Sha256 head_{};
  int64_t last_ = 0;
  uint64_t closed_ = 0;  // blocks closed since the start
  base::Sha256Hasher hasher_;
  std::string bytes_, personal_;
};

}  // namespace yett::audit
