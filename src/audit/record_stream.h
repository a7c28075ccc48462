// Reads the records of one file in order, with their hashes, including records written meanwhile. One thread.
#pragma once

#include <memory>
#include <optional>

#include "audit/block_source.h"
#include "audit/chain_walk.h"
#include "store/database.h"

namespace yett::audit {

class RecordStream {
 public:
  /// Reads the records after this number. The database must outlive it.
  RecordStream(store::Database& db, int64_t after) : db_(&db), source_(db), position_(after) {}
  /// Nothing: there are no more yet. Views, valid until the next call.
  Result<std::optional<ChainWalk::Step>> next();

 private:
  Result<bool> more();
  Result<bool> load();
  Result<bool> appendPieces();
  Status walkFrom(Salts salts, int64_t last);

  store::Database* db_;
  BlockSource source_;
  int64_t position_;
  std::unique_ptr<BlockData> data_;
  std::optional<ChainWalk> walk_;
  bool open_ = false;  // data_ is the open block
};

}  // namespace yett::audit
