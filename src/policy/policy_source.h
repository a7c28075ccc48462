// A snapshot of a policy directory: every file's bytes, read once, so that everything built from it is consistent.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_trust.h"
#include "base/result.h"

namespace yett::policy {

struct PolicySource {
  std::string directory;
  std::map<std::string, std::string> files;  ///< path from the directory -> bytes, in bytewise order
  std::set<std::string> others;              ///< names that look like rules but cannot be loaded: a warning each
  std::string digest;                        ///< SHA-256 (hex) over names and bytes of `files`

  /// Reads the loadable files of the directory and of all folders below it, linked ones too. Names that begin with a
  /// dot are skipped. The listing (name, inode, size, mtime) must be the same before and after reading: a copy in
  /// progress is an error. `trust` checks each file and folder. Sizes are checked before allocating: at most 64 MiB per
  /// file, 256 MiB in total.
  static Result<PolicySource> read(const std::string& directory, base::FileTrust& trust);

  /// The digest of these files.
  static std::string digestOf(const std::map<std::string, std::string>& files);

  /// Only the files for which `wanted` returns true. The digest of a policy covers the files it uses: other files next
  /// to them (tests, editor backups) do not change it.
  PolicySource only(const std::function<bool(const std::string& name)>& wanted) const;

  /// Files that look like rules but are not loaded: not by an engine that loads `extension` files at the top, not as
  /// `used` (by `require` and `data`), not by tests. One warning for each, with what to do.
  std::vector<std::string> unused(std::string_view extension, const std::set<std::string>& used) const;

  /// Whether a file of this name can be loaded: it ends in `.lua` or `.json`.
  static bool isLoadable(const std::string& name);
  /// Whether the name contains `.lua` or `.json`, in any case: copies and misspelled extensions get a warning. Other
  /// files in the directory are ignored.
  static bool looksLikeRules(const std::string& name);
  /// Files that define policies: `*.lua` at the top, except tests. Files in subfolders are for `require`.
  static bool isPolicyFile(const std::string& name);
  /// Files with tests of policies: `*_test.lua` at the top.
  static bool isTest(const std::string& name);
};

}  // namespace yett::policy
