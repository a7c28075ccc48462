// Random records of all kinds, ready to be added to blocks.
#pragma once

#include <random>
#include <string>

#include "audit/block_builder.h"

namespace yett::test {

/// A record that owns its strings.
struct MadeRecord {
  audit::Kind kind;
  int64_t seq;
  int64_t decision_seq = 0;
  char mark;
  audit::Encoded encoded;
  std::string commitment;

  audit::Linked linked() const {
    return {.kind = kind,
            .seq = seq,
            .mark = mark,
            .decision_seq = decision_seq,
            .fields = encoded.fields,
            .entries = encoded.entries,
            .personal = encoded.personal,
            .personal_entries = encoded.personal_entries,
            .commitment = commitment};
  }
};

/// A record of any kind; its texts repeat, are empty, long or arbitrary bytes.
MadeRecord anyRecord(std::mt19937_64& random, int64_t seq);

}  // namespace yett::test
