// The open block: records that were hashed into the chain, put into columns as they come. One thread.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "audit/block_filter.h"
#include "audit/block_layout.h"
#include "audit/record.h"
#include "base/arena.h"
#include "base/sha256.h"
#include "block/id_column.h"
#include "block/number_column.h"
#include "block/text_column.h"

namespace yett::audit {

/// A record as it went into the chain. Views: valid during the call that takes it.
struct Linked {
  Kind kind;
  int64_t seq;
  char mark;                 ///< the first byte of its hash
  int64_t decision_seq = 0;  ///< of an outcome
  std::string_view fields = {};
  uint8_t entries = 0;
  std::string_view personal = {};  ///< of a decision
  uint8_t personal_entries = 0;
  std::string_view commitment = {};  ///< of a decision whose personal fields are gone: 32 bytes; else ""
};

class BlockBuilder {
 public:
  BlockBuilder();
  ~BlockBuilder();

  /// Adds a record; of kinds other than decision and outcome only its presence. REQUIRES: seq is greater than the last
  /// one.
  void add(const Linked& record);
  bool empty() const { return kept_.empty(); }
  /// The block must be closed now.
  bool full() const;

  size_t records() const { return kept_.size(); }
  size_t decisions() const { return decisions_; }
  int64_t firstSeq() const { return kept_.front().seq; }
  int64_t lastSeq() const { return kept_.back().seq; }
  /// Times of its decisions in microseconds; 0 if it has none.
  int64_t timeMin() const { return time_min_; }
  int64_t timeMax() const { return time_max_; }
  /// The smallest number of a decision in an earlier block whose outcome is in this one; 0: none.
  int64_t late() const { return late_; }

  /// Moves what was added into the columns now, so that piece() and body() have less to do.
  void fill();
  /// Records were added since the last piece().
  bool hasNew() const { return written_ < kept_.size(); }
  /// The records added since the last call, as a piece.
  std::string piece();
  /// The whole block. `salts`: as Salts::write() gives them.
  std::string body(std::string_view salts);
  /// The filter by which queries find its decisions.
  std::string filter();
  /// "" if a body holds exactly what was added, with these salts; else what differs.
  std::string differs(std::string_view body, std::string_view salts) const;

  void clear();

 private:
  struct Columns;
  // What was added, as it was hashed: views into `bytes_`.
  struct Kept {
    Kind kind;
    char mark;
    uint8_t entries, personal_entries;
    int64_t seq, decision_seq;
    std::string_view fields, personal, commitment;
  };
  void fillDecisions(const std::vector<Fields>& rows);
  void fillOutcomes(const std::vector<Fields>& rows);
  std::string write(size_t from, std::string_view salts, bool whole);

  std::vector<Kept> kept_;
  size_t filled_ = 0;   // how many are in the columns
  size_t written_ = 0;  // how many are in pieces
  base::Arena bytes_;
  size_t size_ = 0;
  size_t decisions_ = 0;
  int64_t time_min_ = 0, time_max_ = 0;
  bool timed_ = false;  // there is a decision
  int64_t late_ = 0;
  std::unique_ptr<Columns> columns_;
};

}  // namespace yett::audit
