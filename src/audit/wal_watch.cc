#include "audit/wal_watch.h"

#include <sys/stat.h>

#include "base/clock.h"

namespace yett::audit {
namespace {

constexpr int64_t kLarge = 16 << 20;  // a file of this size is truncated as soon as nobody reads it
constexpr int64_t kHuge = 64 << 20;   // and at this size there is a warning
constexpr int64_t kLookEvery = 1'000'000'000;
constexpr int64_t kTellEvery = 600'000'000'000;

}  // namespace

std::string WalWatch::look(store::Database& db) {
  const int64_t now = base::steadyNanos();
  if (now - looked_at_ < kLookEvery) return "";
  looked_at_ = now;
  struct stat info {};
  const int64_t bytes = ::stat(path_.c_str(), &info) == 0 ? info.st_size : 0;
  bytes_ = bytes;
  if (bytes < kLarge || db.truncateWal(false)) return "";
  if (bytes < kHuge || now - told_at_ < kTellEvery) return "";
  told_at_ = now;
  return path_ + ": has " + std::to_string(bytes >> 20) +
         " MiB, because another program keeps a read transaction open: the space is freed when that ends";
}

}  // namespace yett::audit
