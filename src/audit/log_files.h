// A log in several files: those that rotation has closed, and the one that goes on from them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace yett::audit {

/// The name that a file gets once it is closed: "audit/yett.db", 412 -> "audit/yett.000000000412.db".
std::string closedName(const std::string& path, int64_t seq);

/// Held shared by those who read several files of a log: rotation waits until nobody does. Released by destruction.
class RotationLock {
 public:
  /// Where there is no such file and none can be made, there is nothing to hold.
  static RotationLock shared(const std::string& database);
  /// Nothing where somebody holds it.
  static std::optional<RotationLock> alone(const std::string& database);
  RotationLock(RotationLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RotationLock();

 private:
  explicit RotationLock(int fd) : fd_(fd) {}
  int fd_;
};

/// Whether a file's name is one that rotation gives.
bool isClosedName(const std::string& path);

/// The files that rotation has closed beside `path`, in the order of the chain.
std::vector<std::string> closedFiles(const std::string& path);

}  // namespace yett::audit
