// The one way to open a log file. It may be anybody's: its schema is compared before anything of it is read, so that no
// view, trigger or table of another form stands in for ours.
#pragma once

#include <string>

#include "audit/log_files.h"
#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

/// To read it, under the name that it has by now. Where no Yett can be writing it, nothing is made beside it. An error
/// where it is no log, one of another version, or has another schema.
Result<store::Database> openLog(const LogRef& file);
/// A file that rotation has closed, by its writer: nobody else gives it another name, so nothing is waited for.
Result<store::Database> openClosedToRead(const std::string& path);
/// The same, to change what is personal in a file that rotation has closed.
Result<store::Database> openClosedLog(const std::string& path);

/// A file that was opened to be judged.
struct Judged {
  store::Database db;
  std::string wrong = {};  ///< with its schema; nothing else of it may be read then
  bool has_rows = false;   ///< in any table. False: nothing was written to it yet
};
/// An error where it is no log, or one of another version.
Result<Judged> openToJudge(const LogRef& file);

}  // namespace yett::audit
