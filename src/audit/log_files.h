// A log in several files: those that rotation has closed, and the one that goes on from them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace yett::audit {

/// A file of a log: its path, and which file that was. Rotation gives it another name, and its own to another.
struct LogRef {
  LogRef(std::string p) : path(std::move(p)) {}  // NOLINT(google-explicit-constructor): a path is one
  LogRef(const char* p) : path(p) {}             // NOLINT(google-explicit-constructor)
  std::string path;
  uint64_t inode = 0;  ///< 0: whichever stands there
  /// While it is held no other file gets this inode.
  std::shared_ptr<const void> pin;
};

/// The file that stands under a name now.
LogRef refTo(const std::string& path);

/// The files of a log, those that rotation has closed first, as they are at one moment.
std::vector<LogRef> logFiles(const std::string& database);

/// The name that a file has by now. Nothing where retention has deleted it since it was listed.
std::optional<std::string> nameNow(const LogRef& file);

/// The name that a file gets once it is closed: "audit/yett.db", 412 -> "audit/yett.000000000412.db".
std::string closedName(const std::string& path, int64_t seq);

/// The number of the last record of a file that rotation has closed, as its name says. REQUIRES: isClosedName().
int64_t closedNumber(const std::string& path);

/// Held shared by whoever lists the files of a log, or opens one: they have the names that they had. Never for longer,
/// since rotation and retention wait for it. Released by destruction.
class RotationLock {
 public:
  /// Where there is no such file, there is nothing to hold: nobody writes this log.
  static RotationLock shared(const std::string& database);
  /// Nothing where somebody holds it. Makes the file.
  static std::optional<RotationLock> alone(const std::string& database);
  RotationLock(RotationLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RotationLock();

 private:
  explicit RotationLock(int fd) : fd_(fd) {}
  int fd_;
};

/// The log that a file belongs to: of "audit/yett.000000000412.db" that is "audit/yett.db"; of others, themselves.
std::string liveName(const std::string& path);

/// Whether a log stands where Yett wrote it, so that Yett may be writing it now. False: it is a copy, or was moved.
bool isInPlace(const std::string& database);

/// Whether a file's name is one that rotation gives.
bool isClosedName(const std::string& path);

/// The files that rotation has closed beside `path`, in the order of the chain.
std::vector<std::string> closedFiles(const std::string& path);

}  // namespace yett::audit
