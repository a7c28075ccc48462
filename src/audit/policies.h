// The sources of the policy sets that were used, each stored once and bound to the chain by an event with its hash.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "audit/chain_writer.h"
#include "store/database.h"

namespace yett::audit {

/// The event that binds a source: subject is the digest of the set, detail the SHA-256 (hex) of the document.
inline constexpr std::string_view kPolicyEvent = "policy";

/// Adds a source in its own transaction.
Status addPolicy(ChainWriter& chain, const std::string& digest, const std::string& document);
/// The same within a transaction.
Status putPolicy(ChainWriter& chain, const std::string& digest, const std::string& document);
/// "" if the log does not have it.
Result<std::string> readPolicy(store::Database& db, const std::string& digest);

using Policies = std::vector<std::pair<std::string, std::string>>;  ///< digests and documents
/// The policies of the last decisions in a file, and the newest two: the next file begins with them.
Result<Policies> policiesToCarry(store::Database& db);
/// The policies last named at or before this record that are still needed once it is deleted: by later decisions, or as
/// the newest.
Result<Policies> policiesToKeep(store::Database& db, int64_t through);

}  // namespace yett::audit
