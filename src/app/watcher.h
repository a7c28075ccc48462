// Detects changes of a generation's files: inotify on their folders (and on the real folders behind links), and a check
// every two seconds for file systems without events. Main thread only.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"
#include "runtime/generation.h"

namespace yett::app {

class Watcher {
 public:
  Watcher();
  ~Watcher();
  Watcher(const Watcher&) = delete;

  /// Watches these files and directories (recursively) from now on.
  void watch(std::vector<std::string> paths);
  /// For poll(); negative if there is none.
  int fd() const { return fd_; }
  /// Why some changes are found only by the check every two seconds; "" if all are reported immediately.
  const std::string& missing() const { return missing_; }
  /// Discards the inotify events: they are only a hint to check.
  void drainEvents();
  /// The state of the watched paths as text: if it is equal, nothing has changed.
  std::string fingerprint() const;

 private:
  void add(const std::string& folder);
  void addFolders(const std::string& path);
  const int fd_;
  std::vector<int> watches_;
  std::string missing_;
  std::vector<std::string> paths_;
};

}  // namespace yett::app
