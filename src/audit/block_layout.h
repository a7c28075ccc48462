// How a block stores decisions and outcomes: in columns, one section each. docs/audit.md specifies every byte.
//
//   byte         1, the version
//   varints      records, decisions among them, seq of the first record, number of sections, size of each
//   sections     in the order below; one of size 0 has no rows
//
// The open block is stored in pieces of the same form, one for each commit: plain streams, no salts. Their texts and
// distances continue those of the previous pieces.
#pragma once

#include <cstddef>

#include "audit/record.h"
#include "block/number_column.h"

namespace yett::audit {

inline constexpr char kBlockVersion = 1;

/// The sections of a block.
struct Section {
  enum : size_t {
    kKinds = 0,        ///< stream: one byte per record: its kind, plus 16 if its personal fields are gone
    kJumps = 1,        ///< stream: for each number that is not the previous one + 1: varints of its index and the jump
    kMarks = 2,        ///< stream: the first byte of each record's hash, to identify a damaged record
    kSalts = 3,        ///< Salts, of the decisions in order
    kCommitments = 4,  ///< stream: 32 bytes for each decision whose personal fields are gone
    kDecisions = 5,    ///< the columns of layout(Kind::kDecision), in that order
    kOutcomes = 27,    ///< the columns of layout(Kind::kOutcome)
    kCount = 35
  };
};

inline constexpr unsigned char kErasedFlag = 16;

/// Columns of layout(Kind::kDecision) and layout(Kind::kOutcome) that are stored in a special form.
struct Place {
  enum : size_t {
    kId = 0,          ///< block::IdColumn
    kTime = 1,        ///< distances
    kPath = 7,        ///< an ordinary text column
    kRawTarget = 8,   ///< "=" if it equals the path; a target that begins with "=" gets one more
    kDecisionSeq = 0  ///< of an outcome: distance back to its decision; 0: the decision was lost
  };
};

/// A block is full once it reaches one of these limits.
inline constexpr size_t kBlockDecisions = 2048;
inline constexpr size_t kBlockRecords = 8192;
inline constexpr size_t kBlockBytes = 4 << 20;

constexpr block::Numbers numbersOf(Kind kind, size_t column) {
  return kind == Kind::kDecision && column == Place::kTime ? block::Numbers::kDistances : block::Numbers::kValues;
}

}  // namespace yett::audit
