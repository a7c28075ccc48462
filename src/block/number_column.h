// A column of numbers: one stream of folded varints, each a row's value or its distance from the previous one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "block/stream.h"

namespace yett::block {

/// Whether the stream has values or distances (which are small for times). The first distance is from 0.
enum class Numbers { kValues, kDistances };

class NumberColumn {
 public:
  explicit NumberColumn(Numbers how) : how_(how) {}
  void add(int64_t value);
  /// Appends all rows, packed.
  void write(Packer& packer, std::string& out) const { packer.pack(bytes_, out); }
  /// Appends the rows since the last call, unpacked.
  void writeNew(std::string& out);
  void clear();

 private:
  const Numbers how_;
  int64_t before_ = 0;
  std::string bytes_;
  size_t written_ = 0;  // bytes that writeNew() wrote
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
