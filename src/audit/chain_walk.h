// Rebuilds the chain from a block: each record's canonical bytes and hash. One thread.
#pragma once

#include <optional>
#include <string>

#include "audit/block_builder.h"
#include "audit/block_data.h"
#include "audit/record.h"
#include "audit/salts.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

class ChainWalk {
 public:
  /// Walks the records of `data`, which follow the hash `prev`. The bytes of records other than decisions and outcomes
  /// come from table `rare`. `db` and `data` must outlive it. REQUIRES: `prev` has 32 bytes.
  static Result<ChainWalk> open(store::Database& db, BlockData& data, Salts salts, std::string_view prev);

  struct Step {
    const BlockData::Record* record;
    std::string_view bytes;       ///< canonical
    std::string_view commitment;  ///< of a decision
    std::string_view salt;        ///< the salt of the commitment
    std::string_view personal;    ///< what the commitment covers after the salt; "" if erased
    Linked linked;                ///< the record as it went into its block
    const Fields* fields;         ///< all fields by key, with the personal ones that are present
    const base::Sha256* before;
    const base::Sha256* hash;
  };
  /// Nothing at the end. An error says what is wrong with the next record, without its number.
  Result<std::optional<Step>> next();
  /// The number of the record that next() returned or failed at.
  int64_t at() const { return at_; }
  /// The hash of the last record that next() returned.
  const base::Sha256& head() const { return head_; }

 private:
  ChainWalk(BlockData& data, Salts salts, store::Statement rare)
      : data_(&data), salts_(std::move(salts)), rare_(std::move(rare)) {}
  Result<std::string_view> bytesOf(const BlockData::Record& record, Step& step);
  Result<std::string_view> commitmentOf(const BlockData::Record& record, Step& step);

  BlockData* data_;
  Salts salts_;
  store::Statement rare_;
  size_t place_ = 0;
  int64_t at_ = 0;
  base::Sha256 before_{};
  base::Sha256 head_{};
  base::Sha256Hasher hasher_;
  base::Sha256 commitment_{};
  Fields fields_;
  Encoded encoded_;
  std::string bytes_, personal_;
};

}  // namespace yett::audit
