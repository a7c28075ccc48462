// The tables that stand beside the chain and are no records: each of their rows must be what the chain says.
#pragma once

#include <string>

#include "store/database.h"

namespace yett::audit {

/// "" or what is wrong with `policies` (a row that no event names, another type, a source that is not the one that the
/// event names) and `meta` (a name, type or value that the writer does not write, or one that is missing). `last`: the
/// number of the file's last record; `before`: the hash that its first one follows.
Result<std::string> checkSideTables(store::Database& db, int64_t last, std::string_view before);

}  // namespace yett::audit
