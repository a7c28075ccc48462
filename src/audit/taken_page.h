// Counts the accepted records in a memory page that survives a kill, so that the number lost in a crash is known. The
// kernel keeps the page while the machine runs; after a reboot it is not trusted.
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
  /// Maps `path`; creates it (mode 0600) if it is missing. Null if that fails.
  static std::unique_ptr<TakenPage> open(const std::string& path);
  ~TakenPage();
  TakenPage(const TakenPage&) = delete;

  /// From the page that an earlier process left: how many accepted records are missing in a log that ends with `last`.
  /// Nothing: the page is from another log or another boot, is a copy, or does not know this end.
  std::optional<int64_t> lost(std::string_view log_id, int64_t last);
  /// Marks the page as untrusted until the next begin().
  void distrust();
  /// Restarts the count: the log ends with `last`, and all accepted records are written.
  void begin(std::string_view log_id, int64_t last);

  /// Counts accepted records: incremented for each. Any thread, one at a time.
  std::atomic<uint64_t>& counter();
  /// How many accepted records will be written after the next commit. Initially all.
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
  uint64_t before_ = 0;   // counted by earlier processes
  uint64_t written_ = 0;  // how many of all counted records are written
  int slot_ = 0;          // for the next commit; the other one holds the last commit that succeeded
};

}  // namespace yett::audit
