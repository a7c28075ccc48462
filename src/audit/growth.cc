#include "audit/growth.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>

#include "audit/open_log.h"
#include "store/database.h"

namespace yett::audit {
namespace {

constexpr int64_t kHour = 3'600'000'000;

std::string shown(uint64_t bytes) {
  return bytes < (uint64_t{10} << 30) ? std::to_string(bytes >> 20) + "MiB" : std::to_string(bytes >> 30) + "GiB";
}

// The time from the first block to the last; 0 if there are none.
int64_t spanOf(store::Database& db) {
  int64_t times[2] = {0, 0};
  const char* orders[2] = {"ASC", "DESC"};
  for (int i = 0; i < 2; ++i) {
    auto row = db.prepare(std::string("SELECT time_min FROM blocks WHERE decisions > 0 ORDER BY last ") + orders[i] +
                          " LIMIT 1");
    if (!row) return 0;
    auto there = row.value().step();
    if (!there || !there.value()) return 0;
    times[i] = row.value().integer(0);
  }
  return std::max<int64_t>(times[1] - times[0], 0);
}

}  // namespace

std::string growthWarning(int64_t bytes, int64_t micros, uint64_t free) {
  std::string out = "nothing is ever deleted (no `audit.retention`), and " + shown(free) + " are free";
  if (micros < kHour || bytes <= 0) return out;
  const double per_day = static_cast<double>(bytes) / (static_cast<double>(micros) / (24.0 * kHour));
  const auto days = static_cast<int64_t>(static_cast<double>(free) / per_day);
  return out + ": at the log's growth so far (" + shown(static_cast<uint64_t>(per_day)) +
         " a day), the disk is full in " + std::to_string(days) + (days == 1 ? " day" : " days");
}

std::string growthWarning(const AuditConfig& config) {
  if (config.retention_age.count() > 0 || config.retention_size > 0) return "";
  struct statvfs disk {};
  const std::string folder = std::filesystem::path(config.database).parent_path().string();
  if (::statvfs(folder.empty() ? "." : folder.c_str(), &disk) != 0) return "";
  const uint64_t free = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
  auto db = openLog(config.database);
  if (!db) return growthWarning(0, 0, free);
  const auto bytes = db.value().usedBytes();
  return growthWarning(bytes ? bytes.value() : 0, spanOf(db.value()), free);
}

}  // namespace yett::audit
