// A block for reading, or the pieces of the open block combined. Columns are unpacked on demand. One thread.
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
    uint32_t row;  ///< its index among the records of its kind
  };

  BlockData();
  ~BlockData();
  BlockData(BlockData&&) noexcept;
  BlockData& operator=(BlockData&&) noexcept;

  /// Adds a body, or the next piece. The bytes are untrusted: an error says what is wrong with them.
  Status take(std::string bytes);

  const std::vector<Record>& records() const { return records_; }
  size_t rows(Kind kind) const { return places(kind).size(); }
  /// The record of a decision or outcome, by row.
  const Record& record(Kind kind, size_t row) const { return records_[places(kind)[row]]; }
  /// The salts of a body; pieces have none.
  std::string_view salts() const;
  /// The commitment of an erased decision; "" for other records.
  Result<std::string_view> commitment(const Record& record);

  // A column of layout(kind). REQUIRES: the layout says that it has texts or numbers, respectively; ids() is the first
  // column of decisions. The pointer is valid until the next take().
  Result<const block::TextValues*> texts(Kind kind, size_t column);
  Result<const block::NumberValues*> numbers(Kind kind, size_t column);
  Result<const block::IdValues*> ids();

  /// A text of any text column, including the raw target. Valid until the next take().
  Result<std::string_view> text(Kind kind, size_t column, size_t row);

  /// All fields of a decision or outcome, by key. Views into this object, valid until the next call on it.
  Status fields(const Record& record, Fields& out);
  /// The same, but fields that records of its kind do not have stay as they are: faster for many records of one kind.
  Status update(const Record& record, Fields& out);

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
  std::array<std::vector<uint32_t>, 2> places_;  // indexes in records_: of decisions, of outcomes
  size_t erased_ = 0;
  std::vector<uint32_t> commitments_;  // by decision row: the index of its commitment + 1; 0: none
  std::string commitment_bytes_;
  std::unique_ptr<Columns> columns_;
};

}  // namespace yett::audit
