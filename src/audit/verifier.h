// Proves an audit database, or names the first thing in it that is wrong.
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
  int64_t gaps = 0;    ///< jumps in the sequence where the chain itself is whole: records that a crash lost
  std::string head;    ///< hash of the last record, hex
  std::string broken;  ///< "" or what is wrong, and where
  int64_t checkpoints = 0;
  int64_t signed_seq = 0;         ///< of the last checkpoint: all before it is what its key signed
  std::vector<std::string> keys;  ///< ids of the keys that signed, in the order in which they first did
  bool authenticated = false;     ///< the last checkpoint is by the expected key, or by one that it handed over to
  int64_t erased = 0;             ///< records whose personal fields were erased, each by an event in the chain
  int64_t deleted_through = 0;    ///< the records up to here are gone, by the retention that an event names; 0: none
  int64_t signing_begins = 0;     ///< records before this one were never signed by themselves; 0: there are none
  int64_t key_breaks = 0;         ///< here another key took over that the one before did not name; 0: nowhere
  bool not_closed = false;        ///< the last file ends where nobody closed it, and has no write-ahead log beside it
  std::string writer;             ///< who began the log, as its first record says: instance, SPIFFE ID and key; or ""
  /// Numbers in the gaps, at most so many records were lost.
  int64_t missing() const { return records == 0 ? 0 : last_seq - first_seq + 1 - records; }
  std::string continues;  ///< hash of the record before the first, hex: of another file. "": a log begins here
};

/// What a log is compared with, beside itself.
struct Expected {
  std::string public_key = {};       ///< 32 bytes; "": any key may have signed
  int64_t checkpoint_seq = 0;        ///< of a checkpoint that was saved elsewhere; 0: none
  std::string checkpoint_hash = {};  ///< its hash, hex
};

/// Makes the whole chain again, of a log in one file or several, which go on from each other in this order: each
/// record's hash, its connection to the one before, each checkpoint's signature, that personal fields are what was
/// committed to, that the plain tables and what blocks are found by say the same as the records; and what is expected
/// of it. `threads` share the work; `progress` is called now and then, on one of them, with the number of records so
/// far.
Result<Verification> verify(const std::vector<LogRef>& databases, const Expected& expected, unsigned threads,
                            const std::function<void(int64_t)>& progress);

}  // namespace yett::audit
