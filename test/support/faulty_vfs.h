// A disk that fails: an SQLite VFS over the real one. It fails at a chosen write, or loses power: then what was not
// synced is there, or not, in any mixture.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace yett::test {

class FaultyVfs {
 public:
  /// Makes it the default VFS of the process until it is destroyed. One at a time.
  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;

  /// The n-th of the writes, syncs and truncations from here on fails, and `count` in all. 0: none.
  void failAt(int64_t n, int64_t count = 1);
  /// Operations that could have failed since the last failAt().
  int64_t operations() const;
  /// Power is lost at the n-th operation from here on: nothing can be written any more, and of what was not synced each
  /// write is undone or kept, as `keep` says (last first). Afterwards the files are as a restart would find them.
  void losePowerAt(int64_t n, std::function<bool()> keep);
  /// How many writes the loss undid; -1: there was none yet.
  int64_t undone() const;
};

}  // namespace yett::test
