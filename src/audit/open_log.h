// The only way to open a log file. The file is untrusted: its schema is checked before anything else is read, so that
// no view, trigger or altered table can replace ours.
#pragma once

#include <string>

#include "audit/log_files.h"
#include "base/result.h"
#include "store/database.h"

namespace yett::audit {

/// Opens it for reading, under its current name. If no Yett can be writing it, creates no file next to it. An error if
/// it is not a log, or has another version or schema.
Result<store::Database> openLog(const LogRef& file);
/// Opens a closed file for its writer. Nobody else renames it, so this does not wait for a lock.
Result<store::Database> openClosedToRead(const std::string& path);
/// The same for writing, to erase personal fields.
Result<store::Database> openClosedLog(const std::string& path);

/// A file that was opened for verification.
struct Judged {
  store::Database db;
  std::string wrong = {};  ///< what is wrong with its schema; if set, do not read the file
  bool has_rows = false;   ///< some table has rows. False: nothing was written yet
};
/// An error if it is not a log, or has another version.
Result<Judged> openToJudge(const LogRef& file);

}  // namespace yett::audit
