#include "base/file.h"
#include "config/sections.h"
#include "memory/cache_config.h"

namespace yett::config {

void readCache(ObjectReader& in, const std::string& file, memory::CacheConfig& out) {
  int64_t entries = static_cast<int64_t>(out.entries);
  in.number("entries", 0, 100'000'000, entries);
  out.entries = static_cast<size_t>(entries);
  in.size("bytes", out.bytes);
  in.text("database", out.database);
  in.text("key_file", out.key_file);
  if (out.database.empty() != out.key_file.empty())
    in.problem("", "set both `database` and `key_file`: the key verifies what is read back from the database");
  if (out.database.empty()) return;
  out.database = base::relativeTo(file, out.database);
  out.key_file = base::relativeTo(file, out.key_file);
}

}  // namespace yett::config
