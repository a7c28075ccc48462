#include "app/limits.h"

#include <algorithm>

#include "base/resources.h"
#include "runtime/memory_plan.h"

namespace yett::app {
namespace {

int64_t descriptorLimit() {
  return static_cast<int64_t>(std::min<uint64_t>(base::descriptorLimit(), uint64_t{1} << 40));
}

int64_t reservedDescriptors() {
  return std::clamp<int64_t>(descriptorLimit() / 8, 64, 1024);
}

}  // namespace

int64_t descriptorsForConnections() {
  return std::max<int64_t>(descriptorLimit() - reservedDescriptors(), 16);
}

size_t maxAdminSessions() {
  return static_cast<size_t>(std::min<int64_t>(reservedDescriptors() / 4, 256));
}

int64_t maxConnections(const config::Config& config, int64_t descriptors) {
  const int64_t by_memory = runtime::planMemory(config, 1).most_connections;
  return std::max<int64_t>(std::min(by_memory, descriptors - descriptors / 4), 1);
}

}  // namespace yett::app
