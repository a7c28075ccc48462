#include "identity/identity_config.h"

#include "base/file.h"
#include "base/text.h"

namespace yett::identity {

std::string checkedFile(const BundleConfig& config) {
  return config.cache + ".checked";
}

int64_t refreshedAt(const BundleConfig& config) {
  const auto text = base::readFile(checkedFile(config), 64);
  uint64_t out = 0;
  if (!text || !base::parseUnsigned(base::trimmed(base::split(text.value(), '\n').front()), out)) return 0;
  return static_cast<int64_t>(out);
}

bool isFresh(const BundleConfig& config, int64_t now) {
  const int64_t at = refreshedAt(config);
  return at != 0 && now - at <= config.max_stale.count() / 1000;
}

}  // namespace yett::identity
