// A column of texts: each different one once, in the order in which they first come, and for each row where its text
// stands. Four streams: the lengths of the texts as varints, the texts, the low bytes of the places, their high bytes.
// Place 0 is the next text that has not come yet, place n the text with the number n-1. Where no place needs it, the
// stream of high bytes is empty.
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
  /// A column takes so many different texts; who adds looks at entries().
  static constexpr size_t kMaxEntries = 65'534;

  /// The number of the text, counted from 0. REQUIRES: it is there already, or entries() < kMaxEntries.
  size_t add(std::string_view text);
  size_t entries() const { return ends_.size(); }
  size_t rows() const { return places_.size(); }
  std::string_view entry(size_t number) const;
  /// Appends all rows, packed.
  void write(Packer& packer, std::string& out) const;
  /// Appends the rows since the last call, as they are.
  void writeNew(std::string& out);
  void clear();

 private:
  size_t find(std::string_view text, uint64_t hash, size_t& slot) const;
  void grow();
  void split(size_t from, std::string& low, std::string& high) const;

  std::string texts_;
  std::string lengths_;       // varints
  std::vector<size_t> ends_;  // of each text in texts_
  std::vector<uint16_t> places_;
  std::vector<uint32_t> slots_;  // open addressing: the number of a text + 1, below some bits of its hash; 0: free
  size_t last_ = SIZE_MAX;       // the text of the last row
  size_t texts_written_ = 0, lengths_written_ = 0, places_written_ = 0;  // that writeNew() gave
};

/// The rows of a column that was written, in one piece or several. Views into itself.
class TextValues {
 public:
  /// Adds the rows of a piece.
  Status take(std::string_view section);
  /// The number of each row's text.
  const std::vector<uint32_t>& rows() const { return rows_; }
  /// Of all rows together.
  uint64_t bytes() const { return bytes_; }
  size_t entries() const { return ends_.size(); }
  std::string_view entry(size_t number) const;
  std::string_view text(size_t row) const { return entry(rows_[row]); }

 private:
  std::string texts_;
  std::vector<size_t> ends_;
  std::vector<uint32_t> rows_;
  uint32_t come_ = 0;  // texts that a row has had
  uint64_t bytes_ = 0;
};

}  // namespace yett::block
