// A log in several files: those that rotation has closed, and the live one that continues them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace yett::audit {

/// A file of a log: its path, and its identity. Rotation renames a file and reuses its name for another.
struct LogRef {
  LogRef(std::string p) : path(std::move(p)) {}  // NOLINT(google-explicit-constructor): a path is one
  LogRef(const char* p) : path(p) {}             // NOLINT(google-explicit-constructor)
  std::string path;
  uint64_t inode = 0;  ///< 0: any file at this path
  /// While it is held, no other file gets this inode.
  std::shared_ptr<const void> pin;
};

/// The file that has this name now.
LogRef refTo(const std::string& path);

/// A snapshot of the files of a log: closed ones first, the live one last.
std::vector<LogRef> logFiles(const std::string& database);

/// The current name of a file. Nothing if retention has deleted it since it was listed.
std::optional<std::string> nameNow(const LogRef& file);

/// The name that a file gets once it is closed: "audit/yett.db", 412 -> "audit/yett.000000000412.db".
std::string closedName(const std::string& path, int64_t seq);

/// The number of the last record of a closed file, from its name. REQUIRES: isClosedName().
int64_t closedNumber(const std::string& path);

/// Held shared while listing the files of a log or opening one, so that no file is renamed or deleted. Never held
/// longer, since it blocks rotation and retention. Released by destruction.
class RotationLock {
 public:
  /// If the lock file is missing, there is nothing to hold: nobody writes this log.
  static RotationLock shared(const std::string& database);
  /// Nothing if somebody else holds it. Creates the lock file.
  static std::optional<RotationLock> alone(const std::string& database);
  RotationLock(RotationLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RotationLock();

 private:
  explicit RotationLock(int fd) : fd_(fd) {}
  int fd_;
};

/// The live file of a log: "audit/yett.000000000412.db" -> "audit/yett.db"; other names are returned unchanged.
std::string liveName(const std::string& path);

/// Whether a log is where Yett wrote it, so that Yett may be writing it now. False: it was copied or moved.
bool isInPlace(const std::string& database);

/// Whether rotation gave this name to a file.
bool isClosedName(const std::string& path);

/// The files that rotation has closed next to `path`, in the order of the chain.
std::vector<std::string> closedFiles(const std::string& path);

}  // namespace yett::audit
