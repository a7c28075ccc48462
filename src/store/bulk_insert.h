// Many rows into one table by one statement: they stand in memory as a virtual table that the statement selects from,
// so that SQLite finds its place in the table once for all of them and not for each. One thread, that of its database.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace yett::store {

class BulkInsert {
 public:
  /// Columns in the order in which values will come. REQUIRES: the database outlives it.
  static Result<std::unique_ptr<BulkInsert>> create(Database& database, const std::string& table,
                                                    const std::vector<std::string>& columns);
  ~BulkInsert();
  BulkInsert(const BulkInsert&) = delete;

  /// The next value of the row at hand; the next row begins after the last column. Views must live until run().
  BulkInsert& integer(int64_t value);
  BulkInsert& text(std::string_view value);
  BulkInsert& blob(std::string_view value);

  size_t rows() const { return cells_.size() / columns_; }
  void clear() { cells_.clear(); }
  /// Inserts all rows in their order, and forgets them. After an error some may be there: roll back the transaction.
  Status run();

 private:
  struct Cell {
    enum class Type : uint8_t { kInteger, kText, kBlob };
    int64_t number;  // or the size of what `data` points at
    const char* data;
    Type type;
  };
  struct Module;
  explicit BulkInsert(size_t columns) : columns_(columns) {}

  const size_t columns_;
  std::vector<Cell> cells_;  // row after row
  std::unique_ptr<Statement> statement_;
};

}  // namespace yett::store
