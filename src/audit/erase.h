// Erasing what is personal in records, and leaving the proof: the chain holds only a salted commitment to it.
#pragma once

#include <span>
#include <string>

#include "audit/chain_writer.h"

namespace yett::audit {

/// The event that says so: its detail is the SHA-256 (hex) of the numbers of the records, one decimal a line.
inline constexpr std::string_view kErasedEvent = "erased";

struct EraseStep {
  size_t taken = 0;    ///< so many of the numbers are done
  int64_t erased = 0;  ///< records whose personal fields are gone now
};
/// Erases the personal fields of the first of these records (decisions, and events that a caller brought about), as
/// many as one short transaction may have: call it until all are taken, and let the writer write in between. `file` is
/// the database that holds them: the chain's own, or one that rotation has closed. Those that are not there, or erased,
/// are left. Each step is signed with its event. REQUIRES: ascending, and some.
Result<EraseStep> eraseSome(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                            const std::string& why);
/// All of them, one step after the other. How many were erased.
Result<int64_t> erase(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                      const std::string& why);
/// What was erased leaves the write-ahead logs too, of the chain's own file and of `file`. Fails where somebody reads
/// them: at once, or, with `wait`, after some seconds.
Status eraseTraces(ChainWriter& chain, const std::string& file, bool wait = true);
/// What the event says of why and by whom: "ticket 12; asked by uid 1000 (alice)".
std::string eraseReason(const std::string& why, const std::string& who);
/// The digest that the event holds.
std::string erasedDigest(std::span<const int64_t> seqs);

}  // namespace yett::audit
