// The tables next to the chain that do not hold records: each of their rows must agree with the chain.
#pragma once

#include <string>

#include "store/database.h"

namespace yett::audit {

/// "" or what is wrong with `policies` (a row that no event names, a wrong type, a source other than the one that the
/// event names) and `meta` (a name, type or value that the writer does not write, or one that is missing). `last`: the
/// number of the file's last record; `before`: the hash that its first record follows.
Result<std::string> checkSideTables(store::Database& db, int64_t last, std::string_view before);

}  // namespace yett::audit
