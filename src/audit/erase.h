// Erasing what is personal in records, and leaving the proof: the chain holds only a salted commitment to it.
#pragma once

#include <span>
#include <string>

#include "audit/chain_writer.h"

namespace yett::audit {

/// The event that says so: its detail is the SHA-256 (hex) of the numbers of the records, one decimal a line.
inline constexpr std::string_view kErasedEvent = "erased";
/// So many records are erased in one transaction.
inline constexpr size_t kEraseSlice = 1000;

/// Erases the personal fields of these records (decisions, and events that a caller brought about), in slices, each a
/// transaction of its own. `file` is the database that holds them: the chain's own, or one that rotation has closed.
/// Those that are not there, or erased, are left. Each slice is signed with its event. Returns how many were erased.
/// REQUIRES: ascending.
Result<int64_t> erase(ChainWriter& chain, const std::string& file, std::span<const int64_t> seqs,
                      const std::string& why);
/// What was erased leaves the write-ahead log too. Waits for readers, some seconds at the most.
Status eraseTraces(ChainWriter& chain);
/// The digest that the event holds.
std::string erasedDigest(std::span<const int64_t> seqs);

}  // namespace yett::audit
