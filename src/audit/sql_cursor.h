// The rows of `decisions` or `outcomes`, one by one. One thread; valid while its statement sees one snapshot.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "audit/outcome_finder.h"
#include "audit/query.h"
#include "store/database.h"

namespace yett::audit {

class SqlCursor {
 public:
  SqlCursor(store::Database& db, Kind kind) : source_(db), kind_(kind) {}

  /// Begins with the matching decisions, or outcomes with a matching number; with `decision`, only those of it.
  Status begin(const Query& query, bool descending, std::optional<int64_t> decision);
  bool atEnd() const { return data_ == nullptr; }
  Status next();

  int64_t seq() const { return record().seq; }
  bool erased() const { return record().erased; }
  /// A column of layout(kind).
  Result<std::string_view> text(size_t column) { return data_->text(kind_, column, rows_[at_]); }
  Result<int64_t> number(size_t column);

 private:
  const BlockData::Record& record() const { return data_->record(kind_, rows_[at_]); }
  Status load();
  Status nextBlock();
  Status enter(BlockData& data);
  Status beginAt(int64_t decision);

  BlockSource source_;
  const Kind kind_;
  bool loaded_ = false;
  std::vector<BlockHead> heads_;
  std::optional<OpenBlock> open_;
  std::optional<OutcomeFinder> finder_;
  std::optional<BlockData> kept_;  // the block that data_ points to, if it is ours
  int64_t kept_last_ = -1;         // 0: the open one

  std::optional<Search> search_;
  bool descending_ = false;
  size_t block_ = 0;  // the next one in reading order; the open one counts as the last
  BlockData* data_ = nullptr;
  std::vector<uint32_t> rows_;
  size_t at_ = 0;
};

}  // namespace yett::audit
