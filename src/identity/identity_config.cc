#include "identity/identity_config.h"

#include <unistd.h>

#include <charconv>

#include "base/file.h"

namespace yett::identity {

std::string historyFile(const BundleConfig& config) {
  return config.cache + ".history";
}

BundleHistory historyOf(const BundleConfig& config) {
  BundleHistory out;
  const auto text = base::readFile(historyFile(config), 64);
  if (!text) return out;
  const char* end = text.value().data() + text.value().size();
  const auto time = std::from_chars(text.value().data(), end, out.refreshed);
  if (time.ec != std::errc() || time.ptr == end || *time.ptr != ' ') return {};
  const auto sequence = std::from_chars(time.ptr + 1, end, out.sequence);
  return sequence.ec == std::errc() ? out : BundleHistory();
}

std::string textOf(const BundleHistory& history) {
  return std::to_string(history.refreshed) + " " + std::to_string(history.sequence) + "\n";
}

bool isFresh(const BundleConfig& config, int64_t now) {
  const int64_t at = historyOf(config).refreshed;
  return at != 0 && now - at <= config.max_stale.count() / 1000;
}

std::string currentFile(const BundleConfig& config, int64_t now) {
  if (config.endpoint.empty()) return config.file;
  if (historyOf(config).refreshed == 0) return config.file;
  return isFresh(config, now) && ::access(config.cache.c_str(), F_OK) == 0 ? config.cache : "";
}

}  // namespace yett::identity
