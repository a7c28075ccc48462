// Verifies an audit database, or names the first thing in it that is wrong.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "audit/log_files.h"
#include "base/result.h"

namespace yett::audit {

struct Verification {
  int64_t records = 0;
  int64_t first_seq = 0;
  int64_t last_seq = 0;
  int64_t gaps = 0;    ///< jumps in the sequence although the chain is intact: records lost in a crash
  std::string head;    ///< hash of the last record, hex
  std::string broken;  ///< "" or what is wrong, and where
  int64_t checkpoints = 0;
  int64_t signed_seq = 0;         ///< of the last checkpoint: its key signed everything before it
  std::vector<std::string> keys;  ///< ids of the keys that signed, in the order in which they first did
  bool authenticated = false;     ///< the last checkpoint is signed by the expected key, or one it handed over to
  int64_t erased = 0;             ///< records whose personal fields were erased, each by an event in the chain
  int64_t deleted_through = 0;    ///< records up to here were deleted by retention, as an event says; 0: none
  int64_t signing_begins = 0;     ///< records before this one were not signed when they were written; 0: none
  int64_t key_breaks = 0;         ///< here a key took over that the previous key did not name; 0: nowhere
  bool not_closed = false;        ///< the last file was not closed properly, and its write-ahead log is missing
  std::string writer;             ///< who began the log, as its first record says: instance, SPIFFE ID and key; or ""
  /// The numbers in the gaps: at most this many records were lost.
  int64_t missing() const { return records == 0 ? 0 : last_seq - first_seq + 1 - records; }
  std::string continues;  ///< hash (hex) of the record in another file that the first one follows; "": none
};

/// What a log is expected to match.
struct Expected {
  std::string public_key = {};       ///< 32 bytes; "": any key may have signed
  int64_t checkpoint_seq = 0;        ///< of a checkpoint that was saved elsewhere; 0: none
  std::string checkpoint_hash = {};  ///< its hash, hex
};

/// Verifies the whole chain of a log in one or more files, oldest first: each record's hash and its link to the one
/// before, each checkpoint's signature, that personal fields match their commitments, that the plain tables and the
/// filters and times of blocks agree with the records, and what is expected. `threads` share the work; `progress` is
/// called now and then, on one of them, with the number of records so far.
Result<Verification> verify(const std::vector<LogRef>& databases, const Expected& expected, unsigned threads,
                            const std::function<void(int64_t)>& progress);

}  // namespace yett::audit
