// Sees that the files behind a generation have changed: inotify on the folders that hold them (and, through links, on
// the folders where they really are), with a look every two seconds for file systems that tell nothing. Main thread
// only.
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

  /// Watches these files and directories (directories with all below) from now on.
  void watch(std::vector<std::string> paths);
  /// To poll; below 0 where there is none.
  int fd() const { return fd_; }
  /// Why some changes are seen only by the look every two seconds; "" where all are told at once.
  const std::string& missing() const { return missing_; }
  /// Takes what inotify has to say; what it says is only a hint to look.
  void drainEvents();
  /// What the watched paths look like now: equal texts mean nothing has changed.
  std::string fingerprint() const;

 private:
  void add(const std::string& folder);
  void addFolders(const std::string& path);
  const int fd_;
  std::vector<int> watches_;
  std::string missing_;
  std::vector<std::string> paths_;
};

/// All files and directories that a configuration is made of.
std::vector<std::string> sourcesOf(const config::Config& config);

}  // namespace yett::app
