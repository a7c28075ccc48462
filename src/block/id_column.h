// A column of ids: mostly lower-case UUIDs of version 7, which contain a time that the row has, too. Four streams:
//   one byte per row: 0: the UUID's time is the row's; 1: it differs; 2: the id is some other text
//   for each 1: how many milliseconds later, as a folded varint
//   for each 0 and 1: the ten random bytes of the UUID: 4 zero bits, 12 of rand_a, 2 zero bits, 62 of rand_b
//   for each 2: the length as a varint, then that many bytes
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
  /// Appends the rows since the last call, unpacked.
  void writeNew(std::string& out);
  void clear();

 private:
  struct Stream {
    std::string bytes;
    size_t written = 0;  // bytes that writeNew() wrote
  };
  Stream kinds_, later_, random_, others_;
};

/// The rows of a column that was written, in one piece or several.
class IdValues {
 public:
  IdValues() = default;
  IdValues(const IdValues&) = delete;
  IdValues& operator=(const IdValues&) = delete;

  /// Adds the rows of a piece; `micros` has their times.
  Status take(std::string_view section, const int64_t* micros, size_t rows);
  /// Valid as long as this object.
  std::string_view text(size_t row) const { return rows_[row]; }
  /// The size of all ids that are not UUIDs.
  uint64_t bytes() const { return bytes_; }
  size_t rows() const { return rows_.size(); }

 private:
  uint64_t bytes_ = 0;              // of ids that are not UUIDs
  std::deque<std::string> pieces_;  // rows_ points into them: once taken, a piece is neither changed nor moved
  std::vector<std::string_view> rows_;
};

}  // namespace yett::block
