// Walks the rows of a plain table in parallel with the chain, in the same order.
#pragma once

#include <string>

#include "audit/record.h"
#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

class TableWalk {
 public:
  /// The rows of a kind's table, or of callerLayout(), from number `first` to `last`, both included.
  static Result<TableWalk> open(store::Database& db, const Layout& layout, bool salted, int64_t first, int64_t last);

  /// Compares the current row with a record's fields. "" if they agree. Copies personal columns into `fields`.
  std::string compare(int64_t seq, Fields& fields);
  Status advance();
  std::string_view salt() const { return rows_.text(static_cast<int>(layout_->count) + 1); }
  /// The salt is empty, or has the right length.
  bool saltIsWhole() const;
  /// The number of a row without a record, once all records were compared; or 0.
  int64_t leftover() const { return row_ ? rows_.integer(0) : 0; }
  const char* table() const { return layout_->table; }
  const Layout& columns() const { return *layout_; }

 private:
  TableWalk(const Layout& layout, store::Statement rows) : layout_(&layout), rows_(std::move(rows)) {}
  const Layout* layout_;
  store::Statement rows_;
  bool row_ = false;
};

}  // namespace yett::audit
