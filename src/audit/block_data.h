// A block to be read, or the pieces of the open one together. Columns are unpacked when they are asked for. One thread.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "audit/block_layout.h"
#include "audit/record.h"
#include "base/result.h"
#include "block/id_column.h"
#include "block/number_column.h"
#include "block/text_column.h"

namespace yett::audit {

class BlockData {
 public:
  struct Record {
    Kind kind;
    bool erased;  ///< its personal fields are gone
    char mark;    ///< the first byte of its hash
    int64_t seq;
    uint32_t row;  ///< its place among those of its kind
  };

  BlockData();
  ~BlockData();
  BlockData(BlockData&&) noexcept;
  BlockData& operator=(BlockData&&) noexcept;

  /// Adds a body, or the next piece. The bytes may be anybody's: an error says what is wrong with them.
  Status take(std::string bytes);

  const std::vector<Record>& records() const { return records_; }
  size_t rows(Kind kind) const { return places(kind).size(); }
  /// Of a decision or outcome by its row.
  const Record& record(Kind kind, size_t row) const { return records_[places(kind)[row]]; }
  /// Of the one body; a piece has none.
  std::string_view salts() const;
  /// Of an erased decision; "" of another.
  Result<std::string_view> commitment(const Record& record);

  // A column of layout(kind). REQUIRES: the layout says that it has texts, or numbers; ids() is for the first one of
  // decisions. The pointer is good until the next take().
  Result<const block::TextValues*> texts(Kind kind, size_t column);
  Result<const block::NumberValues*> numbers(Kind kind, size_t column);
  Result<const block::IdValues*> ids();

  /// A text of any text column, the raw target too. Good until the next take().
  Result<std::string_view> text(Kind kind, size_t column, size_t row);

  /// All fields of a decision or outcome, by key. Views into this object, good until the next call of anything here.
  Status fields(const Record& record, Fields& out);

 private:
  struct Part;
  struct Columns;
  const std::vector<uint32_t>& places(Kind kind) const { return places_[kind == Kind::kDecision ? 0 : 1]; }
  Status readRecords(Part& part);
  Status loadAll(Kind kind);
  template <typename Values>
  Status unpack(Kind kind, size_t section, Values& values);

  std::deque<Part> parts_;
  std::vector<Record> records_;
  uint64_t last_seq_ = 0;
  std::array<std::vector<uint32_t>, 2> places_;  // in records_, of decisions and of outcomes
  size_t erased_ = 0;
  std::vector<uint32_t> commitments_;  // by row of decision: the place of its commitment + 1, 0: none
  std::string commitment_bytes_;
  std::unique_ptr<Columns> columns_;
};

}  // namespace yett::audit
