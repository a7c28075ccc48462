#include "identity/identity_config.h"

#include <unistd.h>

#include <charconv>

#include "base/file.h"
#include "base/sha256.h"

namespace yett::identity {

std::string historyFile(const BundleConfig& config) {
  return config.cache + ".history";
}

// Whose answers they are: those of another endpoint say nothing.
static std::string sourceOf(const BundleConfig& config) {
  constexpr size_t kDigits = 16;
  return base::sha256Hex(config.endpoint + '\n' + config.endpoint_spiffe_id).substr(0, kDigits);
}

BundleHistory historyOf(const BundleConfig& config) {
  BundleHistory out;
  const auto text = base::readFile(historyFile(config), 80);
  if (!text) return out;
  const char* end = text.value().data() + text.value().size();
  const auto time = std::from_chars(text.value().data(), end, out.refreshed);
  if (time.ec != std::errc() || time.ptr == end || *time.ptr != ' ') return {};
  const auto sequence = std::from_chars(time.ptr + 1, end, out.sequence);
  const std::string_view rest(sequence.ptr, static_cast<size_t>(end - sequence.ptr));
  const bool same = rest == "\n" || rest == " " + sourceOf(config) + "\n";  // earlier builds wrote no source
  return sequence.ec == std::errc() && same ? out : BundleHistory();
}

std::string textOf(const BundleConfig& config, const BundleHistory& history) {
  return std::to_string(history.refreshed) + " " + std::to_string(history.sequence) + " " + sourceOf(config) + "\n";
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
