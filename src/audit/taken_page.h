// How many records were taken, in a page of memory that outlives a kill: what a crash lost is then known exactly. The
// kernel keeps the page while the machine runs; after a reboot nothing in it is believed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace yett::audit {

class TakenPage {
 public:
  /// Maps `path`, and makes it (mode 0600) where it is missing. Null where that cannot be done.
  static std::unique_ptr<TakenPage> open(const std::string& path);
  ~TakenPage();
  TakenPage(const TakenPage&) = delete;

  /// Of the page as an earlier process left it: how many records were taken and are not among those up to `last`, which
  /// the log ends with. Nothing: the page is another log's, of another boot, a copy, or does not know this end.
  std::optional<int64_t> lost(std::string_view log_id, int64_t last);
  /// From here on it is believed by nobody, until it begins anew.
  void distrust();
  /// Begins anew: the log ends with `last`, and nothing is taken that is not written.
  void begin(std::string_view log_id, int64_t last);

  /// Counts what is taken: one more with each record. Any thread, one at a time.
  std::atomic<uint64_t>& counter();
  /// So many records that were taken are written with the commit that follows. At the beginning: all.
  void setWritten(uint64_t written) { written_ = before_ + written; }
  /// Before a commit, with the number of its last record; noted() once it has succeeded.
  void note(int64_t seq);
  void noted() { slot_ ^= 1; }

 private:
  struct Layout;
  TakenPage(Layout* page, std::string path, uint64_t inode);
  Layout* page_;
  const std::string path_;
  const uint64_t inode_;
  std::string boot_;
  uint64_t before_ = 0;   // that earlier processes counted
  uint64_t written_ = 0;  // of all that was counted
  int slot_ = 0;          // the one that the next commit is noted in: the other one holds the last that succeeded
};

}  // namespace yett::audit
