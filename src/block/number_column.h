// A column of numbers: one stream of folded varints, a value a row, or each one's distance from the one before.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "block/stream.h"

namespace yett::block {

/// Whether the stream has the values, or their distances (of times: they are small then). The first one's is from 0.
enum class Numbers { kValues, kDistances };

class NumberColumn {
 public:
  explicit NumberColumn(Numbers how) : how_(how) {}
  void add(int64_t value);
  /// Appends all rows, packed.
  void write(Packer& packer, std::string& out) const { packer.pack(bytes_, out); }
  /// Appends the rows since the last call, as they are.
  void writeNew(std::string& out);
  void clear();

 private:
  const Numbers how_;
  int64_t before_ = 0;
  std::string bytes_;
  size_t written_ = 0;  // bytes that writeNew() gave
};

/// The rows of a column that was written, in one piece or several.
class NumberValues {
 public:
  explicit NumberValues(Numbers how = Numbers::kValues) : how_(how) {}
  /// Adds the rows of a piece.
  Status take(std::string_view section);
  const std::vector<int64_t>& rows() const { return rows_; }

 private:
  Numbers how_;
  int64_t before_ = 0;
  std::vector<int64_t> rows_;
};

}  // namespace yett::block
