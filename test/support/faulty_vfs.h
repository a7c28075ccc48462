// A disk that fails: an SQLite VFS on top of the real one. It fails at a chosen write, or loses power: then any subset
// of the unsynced writes is lost.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace yett::test {

class FaultyVfs {
 public:
  /// Becomes the default VFS of the process until destroyed. Only one may exist at a time.
  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;

  /// From now on the n-th write, sync or truncation fails, and `count` in total. 0: none.
  void failAt(int64_t n, int64_t count = 1);
  /// Operations that could have failed since the last failAt().
  int64_t operations() const;
  /// Power is lost at the n-th operation from now on: nothing can be written any more, and each unsynced write is kept
  /// or undone, as `keep` says (last first). Afterwards the files are as a restart would find them.
  void losePowerAt(int64_t n, std::function<bool()> keep);
  /// How many writes the power loss undid; -1: no power loss yet.
  int64_t undone() const;
};

}  // namespace yett::test
