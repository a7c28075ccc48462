// A column of ids: mostly UUIDs of version 7 in lower case, which carry a time that the row has too. Four streams:
//   a byte a row: 0 its time is the row's, 1 it is another, 2 the id is another text
//   of each 1 how many milliseconds later, as a folded varint
//   of each 0 and 1 the ten bytes of the UUID that are random: 4 zero bits, 12 of rand_a, 2 zero bits, 62 of rand_b
//   of each 2 a varint and so many bytes
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "block/stream.h"

namespace yett::block {

class IdColumn {
 public:
  /// `micros` is the time of the row.
  void add(std::string_view id, int64_t micros);
  /// Appends all rows, packed.
  void write(Packer& packer, std::string& out) const;
  /// Appends the rows since the last call, as they are.
  void writeNew(std::string& out);
  void clear();

 private:
  struct Stream {
    std::string bytes;
    size_t written = 0;  // that writeNew() gave
  };
  Stream kinds_, later_, random_, others_;
};

/// The rows of a column that was written, in one piece or several.
class IdValues {
 public:
  IdValues() = default;
  IdValues(const IdValues&) = delete;
  IdValues& operator=(const IdValues&) = delete;

  /// Adds the rows of a piece, of which `micros` has the times.
  Status take(std::string_view section, const int64_t* micros, size_t rows);
  /// Valid while this is.
  std::string_view text(size_t row) const { return rows_[row]; }
  /// Of all rows together, but for UUIDs.
  uint64_t bytes() const { return bytes_; }
  size_t rows() const { return rows_.size(); }

 private:
  uint64_t bytes_ = 0;              // of those that are no UUIDs
  std::deque<std::string> pieces_;  // of which rows_ has parts: each is whole once it is taken, and stays where it is
  std::vector<std::string_view> rows_;
};

}  // namespace yett::block
