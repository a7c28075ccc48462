// Reads the blocks of a log file through one connection, which sees one snapshot while it is in a transaction. Their
// contents are untrusted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/block_data.h"
#include "base/result.h"
#include "base/sha256.h"
#include "store/database.h"

namespace yett::audit {

/// A row of table `blocks`, without the large columns.
struct BlockHead {
  int64_t first = 0, last = 0;
  int64_t decisions = 0;
  int64_t time_min = 0, time_max = 0;
  int64_t late = 0;
};

/// The open block.
struct OpenBlock {
  BlockData data;
  std::string hash;  ///< of its last record, 32 bytes
  std::string seed;  ///< of its salts, 16 bytes
  /// Where each piece ends: the number of its last record, which was checked, and the hash that its row gives.
  std::vector<std::pair<int64_t, std::string>> ends;
};

class BlockSource {
 public:
  explicit BlockSource(store::Database& db) : db_(&db) {}

  /// Blocks that end at `from` or later, oldest first.
  Result<std::vector<BlockHead>> heads(int64_t from);
  /// The filter of the block that ends with `last`; "" if the block is gone.
  Result<std::string> filter(int64_t last);
  /// The block that ends with `last`; nothing if it is gone.
  Result<std::optional<BlockData>> body(int64_t last);
  /// The open block; nothing if there is none.
  Result<std::optional<OpenBlock>> tail();
  /// The number and the hash of the last record; the number is 0 if there is none.
  Result<std::pair<int64_t, std::string>> end();
  /// The number of the first record; 0 if there is none.
  Result<int64_t> first();
  /// The hash that precedes the block that ends with `last`, or the open block if `last` is 0.
  Result<std::string> before(int64_t last);
  store::Database& database() { return *db_; }

 private:
  store::Database* db_;
};

/// A value of table `meta`, of any type, as bytes or as a number; nothing if it is missing.
Result<std::optional<std::string>> metaBytes(store::Database& db, std::string_view name);
Result<std::optional<int64_t>> metaNumber(store::Database& db, std::string_view name);

}  // namespace yett::audit
