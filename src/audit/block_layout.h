// How decisions and outcomes stand in a block (docs/audit.md gives it to the byte): in columns, one section each.
//
//   byte         1, the version
//   varints      records, decisions among them, seq of the first record, number of sections, size of each
//   sections     in the order below; one of size 0 has no rows
//
// The open block is stored in pieces of the same form, which hold what came with one commit: plain streams, no salts.
// Their texts and distances go on from the pieces before them.
#pragma once

#include <cstddef>

#include "audit/record.h"
#include "block/number_column.h"

namespace yett::audit {

inline constexpr char kBlockVersion = 1;

/// The sections of a block.
struct Section {
  enum : size_t {
    kKinds = 0,        ///< stream: a byte a record: its kind, and 16 more where its personal fields are gone
    kJumps = 1,        ///< stream: where a number does not follow the one before: varints of its place and the jump
    kMarks = 2,        ///< stream: the first byte of each record's hash, so that a damaged one can be named
    kSalts = 3,        ///< Salts, of the decisions in order
    kCommitments = 4,  ///< stream: 32 bytes of each decision whose personal fields are gone
    kDecisions = 5,    ///< the columns of layout(Kind::kDecision), in that order
    kOutcomes = 27,    ///< the columns of layout(Kind::kOutcome)
    kCount = 35
  };
};

inline constexpr unsigned char kErasedFlag = 16;

/// Columns of layout(Kind::kDecision) and layout(Kind::kOutcome) that are stored in a form of their own.
struct Place {
  enum : size_t {
    kId = 0,          ///< block::IdColumn
    kTime = 1,        ///< distances
    kPath = 7,        ///< as texts are
    kRawTarget = 8,   ///< "=" where it is the path; one more "=" before what begins so
    kDecisionSeq = 0  ///< of an outcome: how far back its decision is, 0: it was lost
  };
};

/// What decides that a block is full, beside the number of its decisions.
inline constexpr size_t kBlockDecisions = 2048;
inline constexpr size_t kBlockRecords = 8192;
inline constexpr size_t kBlockBytes = 4 << 20;

constexpr block::Numbers numbersOf(Kind kind, size_t column) {
  return kind == Kind::kDecision && column == Place::kTime ? block::Numbers::kDistances : block::Numbers::kValues;
}

}  // namespace yett::audit
