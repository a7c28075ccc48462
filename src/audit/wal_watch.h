// The write-ahead log of the audit database: its size, and that it is cut off again. One thread, but for bytes().
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "store/database.h"

namespace yett::audit {

class WalWatch {
 public:
  explicit WalWatch(const std::string& database) : path_(database + "-wal") {}
  /// Looks once a second at the most. A reader that stays in one moment of the log keeps the write-ahead log from being
  /// used again; once it has left, what that took of the disk is given back. Says what people shall be told, or "".
  std::string look(store::Database& db);
  /// Of the file, when it was last looked at. Any thread.
  int64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  const std::string path_;
  std::atomic<int64_t> bytes_{0};
  int64_t looked_at_ = 0;            // steady nanoseconds
  int64_t told_at_ = INT64_MIN / 2;  // likewise
};

}  // namespace yett::audit
