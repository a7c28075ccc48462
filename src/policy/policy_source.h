// A policy directory as it was at one moment: every file's bytes, read once, so that all that is built from it agrees.
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
  std::set<std::string> others;              ///< names that look like rules and can be none: a warning each
  std::string digest;                        ///< SHA-256 (hex) over names and bytes of `files`

  /// Reads what can be loaded of the directory and all below it, linked folders too. Names that begin with a dot are
  /// skipped. The listing (name, inode, size, mtime) must be the same before and after reading: a copy in progress is
  /// an error. `trust` looks at each file and folder. Sizes are looked at before memory is taken: 64 MiB for a file,
  /// 256 MiB for all.
  static Result<PolicySource> read(const std::string& directory, base::FileTrust& trust);

  /// The digest of such files.
  static std::string digestOf(const std::map<std::string, std::string>& files);

  /// Those files alone that `wanted` says true of. The digest of a policy is that of the files it uses: what stands
  /// beside them (tests, copies that an editor keeps) makes no other policy.
  PolicySource only(const std::function<bool(const std::string& name)>& wanted) const;

  /// Files that look like rules and that nothing loads: neither an engine that takes `extension` files at the top, nor
  /// `used` (by `require` and `data`), nor tests. A warning each, with what to do.
  std::vector<std::string> unused(std::string_view extension, const std::set<std::string>& used) const;

  /// Whether a file of this name can be loaded: it ends in `.lua` or `.json`.
  static bool isLoadable(const std::string& name);
  /// Whether `.lua` or `.json` stands in the name, in any case: a copy or a misspelt ending is told of. All else in the
  /// directory is nobody's business here.
  static bool looksLikeRules(const std::string& name);
  /// Files that define policies: `*.lua` at the top, without tests. Those below are for `require`.
  static bool isPolicyFile(const std::string& name);
  /// Files with tests of policies: `*_test.lua` at the top.
  static bool isTest(const std::string& name);
};

}  // namespace yett::policy
