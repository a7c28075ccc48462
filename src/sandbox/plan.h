// What the process may still do once it is sandboxed: folders, files and ports.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace yett::sandbox {

/// Paths are absolute. A folder stands for everything below it.
struct Plan {
  std::set<std::string> read;
  std::set<std::string> write;  ///< and read, create, rename and remove
  bool plugins = false;         ///< code may be loaded from memory
  bool any_port = false;        ///< ports are not restricted
  std::set<uint16_t> bind;      ///< TCP ports to listen on; 0: one that the kernel chooses
  std::set<uint16_t> connect;   ///< TCP ports to connect to

  /// What `wanted` has beyond this plan, for people: "reading /a/b", "connecting to port 80".
  std::vector<std::string> missing(const Plan& wanted) const;
  /// One line for each permission.
  std::string text() const;
};

/// Whether a folder holds much more than a program's own files: /, /etc, /usr, /home, ...
bool isBroad(const std::string& folder);

/// The folder of `path`, or `path` itself if that folder is the root of the file system or one that holds much more
/// than a program's own files (/etc, /usr, /home, ...).
std::string folderFor(const std::string& path);

/// What every process needs: shared libraries, name lookup, CA certificates, time zones, its own state in /proc.
void addSystem(Plan& plan);

}  // namespace yett::sandbox
