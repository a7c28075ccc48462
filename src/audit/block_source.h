// The blocks of a log file, as they are read: through one connection, which sees one moment where it is in a
// transaction. What stands in them may be anybody's.
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

/// A row of table `blocks`, without what is long.
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
  /// Where each of its pieces ends, as their rows say: the number of a record, which is the right one, and its hash.
  std::vector<std::pair<int64_t, std::string>> ends;
};

class BlockSource {
 public:
  explicit BlockSource(store::Database& db) : db_(&db) {}

  /// Blocks that end at `from` or later, oldest first.
  Result<std::vector<BlockHead>> heads(int64_t from);
  /// What the decisions of the block that ends with `last` can be found by; "" where it is gone.
  Result<std::string> filter(int64_t last);
  /// The block that ends with `last`; nothing where it is gone.
  Result<std::optional<BlockData>> body(int64_t last);
  /// Nothing where no block is open.
  Result<std::optional<OpenBlock>> tail();
  /// Of the last record of all: its number, 0 where there is none, and its hash.
  Result<std::pair<int64_t, std::string>> end();
  /// The number of the first record; 0 where there is none.
  Result<int64_t> first();
  /// The hash that was before the first record of the block that ends with `last`, or of the open one where that is 0.
  Result<std::string> before(int64_t last);
  store::Database& database() { return *db_; }

 private:
  store::Database* db_;
};

/// A value of table `meta`, of any type, as bytes or number; nothing where it is not there.
Result<std::optional<std::string>> metaBytes(store::Database& db, std::string_view name);
Result<std::optional<int64_t>> metaNumber(store::Database& db, std::string_view name);

}  // namespace yett::audit
