// Decisions and outcomes as tables of SQL: `decisions` and `outcomes`, with the columns of docs/audit.md. They are made
// from the blocks as they are asked for; equality of texts, ranges of `seq` and `time`, and the order by `seq` are used
// to read only what is needed.
#pragma once

#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

/// From here on statements of this connection can name them.
Status addSqlTables(store::Database& db);

}  // namespace yett::audit
