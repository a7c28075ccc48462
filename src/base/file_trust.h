// Who may write the files that affect decisions. A configuration, policy, key, bundle or plugin is accepted only if
// nobody except root, Yett's own user and the owners named in the configuration could have put it there: neither the
// file nor any folder above it may be writable by others. Modeled on sshd's StrictModes and on sudo.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace yett::base {

/// Not thread-safe.
class FileTrust {
 public:
  enum class Mode {
    kRefuse,  ///< a file that others could have written is an error
    kWarn,    ///< it is a warning, for commands that only inspect
  };
  explicit FileTrust(Mode mode = Mode::kRefuse, std::vector<uid_t> owners = {})
      : mode_(mode), owners_(std::move(owners)) {}

  /// Users whose files are trusted like Yett's own, in addition to root.
  void setOwners(std::vector<uid_t> owners) { owners_ = std::move(owners); }

  /// The whole file, after checking it and each folder on its path (symlinks are followed, and their paths checked too)
  /// through the same descriptors that are read. A read-only mount counts as unwritable whatever its modes: Kubernetes
  /// mounts volumes 0777 and read-only. On the path, a sticky folder (/tmp) is accepted. So is group write access if
  /// the group has the owner's name and no other members. Errors say what to do.
  Result<std::string> read(const std::string& path, size_t limit = 64 << 20);
  /// The same for a key, which nobody but its owner and its group may read: 0400, 0440, 0600 or 0640.
  Result<std::string> readSecret(const std::string& path, size_t limit = 1 << 20);
  /// Checks a folder whose listing decides what is loaded; here a writable sticky folder is not accepted.
  Status checkFolder(const std::string& path);

  /// With kWarn: what kRefuse would have refused, each listed once.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  enum class Kind { kFile, kSecret, kFolder };
  class Walk;
  Result<int> open(const std::string& path, Kind kind);
  Result<std::string> readAs(const std::string& path, Kind kind, size_t limit);
  bool trusts(uid_t owner) const;
  const Mode mode_;
  std::vector<uid_t> owners_;
  std::vector<std::string> warnings_;
};

/// Reads a key file: shorthand for FileTrust(kRefuse, owners).readSecret().
Result<std::string> readSecretFile(const std::string& path, const std::vector<uid_t>& owners = {});

}  // namespace yett::base
