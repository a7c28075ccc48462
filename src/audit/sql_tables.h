// The SQL tables `decisions` and `outcomes`, with the columns in docs/audit.md. Their rows are built from the blocks on
// demand; equality of texts, ranges of `seq` and `time`, and the order by `seq` are used to read only what is needed.
#pragma once

#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

/// Makes them available to statements of this connection.
Status addSqlTables(store::Database& db);

}  // namespace yett::audit
