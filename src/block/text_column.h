// A column of texts: each distinct text once, in order of first appearance, and for each row the place of its text.
// Four streams: the lengths of the texts as varints, the texts, the low bytes of the places, their high bytes. Place 0
// is the next text that no row has had yet, place n the text with the number n-1. If no place needs it, the stream of
// high bytes is empty.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "block/stream.h"

namespace yett::block {

class TextColumn {
 public:
  /// The maximum of distinct texts in a column; callers of add() check entries().
  static constexpr size_t kMaxEntries = 65'534;

  /// Returns the number of the text, from 0. REQUIRES: the column has it already, or entries() < kMaxEntries.
  size_t add(std::string_view text);
  size_t entries() const { return ends_.size(); }
  size_t rows() const { return places_.size(); }
  std::string_view entry(size_t number) const;
  /// Appends all rows, packed.
  void write(Packer& packer, std::string& out) const;
  /// Appends the rows since the last call, unpacked.
  void writeNew(std::string& out);
  void clear();

 private:
  size_t find(std::string_view text, uint64_t hash, size_t& slot) const;
  void grow();
  void split(size_t from, std::string& low, std::string& high) const;

  std::string texts_;
  std::string lengths_;       // varints
  std::vector<size_t> ends_;  // where each text ends in texts_
  std::vector<uint16_t> places_;
  std::vector<uint32_t> slots_;  // open addressing: the number of a text + 1, below some bits of its hash; 0: free
  size_t last_ = SIZE_MAX;       // the text of the last row
  size_t texts_written_ = 0, lengths_written_ = 0, places_written_ = 0;  // by writeNew()
};

/// The rows of a column that was written in one or more pieces. Returns views into itself.
class TextValues {
 public:
  /// Adds the rows of a piece.
  Status take(std::string_view section);
  /// The number of each row's text.
  const std::vector<uint32_t>& rows() const { return rows_; }
  /// Text size of all rows.
  uint64_t bytes() const { return bytes_; }
  size_t entries() const { return ends_.size(); }
  std::string_view entry(size_t number) const;
  std::string_view text(size_t row) const { return entry(rows_[row]); }

 private:
  std::string texts_;
  std::vector<size_t> ends_;
  std::vector<uint32_t> rows_;
  uint32_t come_ = 0;  // how many texts a row has had so far
  uint64_t bytes_ = 0;
};

}  // namespace yett::block
