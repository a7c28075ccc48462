// Who may write what decides. A configuration, policy, key, bundle or plugin counts only where nobody but root, Yett's
// own user and the owners that the configuration names could have put it there: neither the file nor any folder above
// it may be written by others. The models are sshd's StrictModes and sudo.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace yett::base {

/// Not for several threads at once.
class FileTrust {
 public:
  enum class Mode {
    kRefuse,  ///< what others could have written is an error
    kWarn,    ///< it is a warning: for commands that only look
  };
  explicit FileTrust(Mode mode = Mode::kRefuse, std::vector<uid_t> owners = {})
      : mode_(mode), owners_(std::move(owners)) {}

  /// Users whose files count like Yett's own, beside root.
  void setOwners(std::vector<uid_t> owners) { owners_ = std::move(owners); }

  /// The whole file, once it and each folder on the way to it (links followed, each by its own way) have been looked at
  /// by the descriptors that are read. A mount that is read-only counts as unwritable, whatever its modes: Kubernetes
  /// mounts volumes 0777 and read-only. A sticky folder (/tmp) is fine on the way. So is a group that has its owner's
  /// name and nobody else in it. Errors say what to do.
  Result<std::string> read(const std::string& path, size_t limit = 64 << 20);
  /// The same for a key, which nobody but its owner and its group may read: 0400, 0440, 0600 or 0640.
  Result<std::string> readSecret(const std::string& path, size_t limit = 1 << 20);
  /// Looks at a folder whose listing decides what is loaded: a sticky one is not fine.
  Status checkFolder(const std::string& path);

  /// Of kWarn: what would have been refused, each once.
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

/// A key whose path is no longer in doubt: as FileTrust(kRefuse, owners).readSecret().
Result<std::string> readSecretFile(const std::string& path, const std::vector<uid_t>& owners = {});

}  // namespace yett::base
