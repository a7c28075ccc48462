// Erases the personal fields of records. The chain holds only a salted commitment to them, so it can still be verified.
#pragma once

#include <span>
#include <string>

#include "audit/chain_writer.h"

namespace yett::audit {

/// The event of an erasure: its detail is the SHA-256 (hex) of the record numbers, one decimal per line.
inline constexpr std::string_view kErasedEvent = "erased";

struct EraseStep {
  size_t taken = 0;    ///< how many of the numbers are done
  int64_t erased = 0;  ///< records whose personal fields are gone now
};
/// Erases the personal fields of the first of these records (decisions, and events caused by a caller), as many as fit
/// into one short transaction. Call it until all are done, and let the writer write in between. `file` is the database
/// that holds them: the chain's own, or one closed by rotation. Records that are missing or already erased are skipped.
/// Each step adds an event and a checkpoint. REQUIRES: `seqs` is ascending and not empty.
Result<EraseStep> eraseSome(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                            const std::string& why);
/// Erases all of them, step by step. Returns how many were erased.
Result<int64_t> erase(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                      const std::string& why);
/// Removes erased data from the write-ahead logs, too: those of the chain's own file and of `file`. Fails if somebody
/// reads them: immediately or, with `wait`, after some seconds.
Status eraseTraces(ChainWriter& chain, const std::string& file, bool wait = true);
/// The reason and the requester, as in the event: "ticket 12; asked by uid 1000 (alice)".
std::string eraseReason(const std::string& why, const std::string& who);
/// The digest that the event holds.
std::string erasedDigest(std::span<const int64_t> seqs);

}  // namespace yett::audit
