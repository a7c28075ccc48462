// Watches the size of the audit database's write-ahead log, and truncates it. One thread, except bytes().
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "store/database.h"

namespace yett::audit {

class WalWatch {
 public:
  explicit WalWatch(const std::string& database) : path_(database + "-wal") {}
  /// Checks at most once a second. A reader that keeps a snapshot open prevents reuse of the write-ahead log; once that
  /// reader is gone, the file is truncated. Returns a warning for the operator, or "".
  std::string look(store::Database& db);
  /// The size of the file at the last check. Any thread.
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  const std::string path_;
  std::atomic<int64_t> bytes_{0};
  int64_t looked_at_ = 0;            // steady nanoseconds
  int64_t told_at_ = INT64_MIN / 2;  // the same
};

}  // namespace yett::audit
