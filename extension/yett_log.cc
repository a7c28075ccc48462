// A loadable SQLite extension: provides the tables `decisions` and `outcomes` of an audit log to any program that uses
// SQLite.
//   sqlite3 -readonly audit/yett.db '.load ./yett_log' 'SELECT effect, count(*) FROM decisions GROUP BY effect'
#include "audit/log_schema.h"
#include "audit/sql_tables.h"
#include "store/sqlite.h"

const sqlite3_api_routines* sqlite3_api = nullptr;

extern "C" {
__attribute__((visibility("default"))) int sqlite3_yettlog_init(sqlite3* db, char** error,
                                                                const sqlite3_api_routines* api) {
  sqlite3_api = api;
  auto borrowed = yett::store::Database::borrow(db);
  // The file is untrusted: none of its views or triggers may replace a table of ours.
  auto done = yett::audit::checkIsLog(borrowed, "this database");
  if (done) done = yett::audit::addSqlTables(borrowed);
  if (done) return SQLITE_OK;
  *error = sqlite3_mprintf("%s", done.error().message.c_str());
  return SQLITE_ERROR;
}
}
