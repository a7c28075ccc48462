#include "runtime/memory_plan.h"

#include <algorithm>

#include "base/resources.h"
#include "base/text.h"
#include "base/units.h"

namespace yett::runtime {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kIdleConnection = 28 << 10;  // measured: an idle mTLS connection and its session
constexpr uint64_t kHandshake = 132 << 10;      // measured: additional bytes, with the largest ClientHello
constexpr uint64_t kState = 4 * kMiB;           // of a Lua engine before it decides anything

uint64_t within(uint64_t value, uint64_t least, uint64_t most) {
  return std::clamp(value, least, std::max(least, most));
}

}  // namespace

size_t workersOf(const config::Config& config) {
  return config.workers > 0 ? static_cast<size_t>(config.workers) : base::usableCpus();
}

MemoryPlan planMemory(const config::Config& config, size_t workers) {
  MemoryPlan out;
  out.limit = config.memory_limit > 0 ? config.memory_limit : base::usableMemory();
  out.most_connections = std::min(config.max_connections, static_cast<int64_t>(out.limit / 2 / kIdleConnection));
  out.connections = static_cast<uint64_t>(out.most_connections) * kIdleConnection;
  out.most_handshakes = std::max(static_cast<size_t>(out.most_connections / 32), 16 * workers);
  for (const auto& listener : config.listeners) {
    if (!listener.plaintext) out.handshakes = 3 * out.most_handshakes * kHandshake;
  }
  // One connection may use a third of a worker's memory: enough for the largest body that any route shows to policy.
  uint64_t largest = 0;
  for (const auto& listener : config.listeners) {
    for (const auto& route : listener.routes) largest = std::max(largest, route.buffer_body);
  }
  out.bodies = std::max(within(out.limit / 8, 16 * kMiB, 512 * kMiB), largest * 4 * workers);
  out.responses = within(out.limit / 8, 32 * kMiB, 1024 * kMiB);
  out.audit_queue = config.audit.queue_bytes;
  const size_t engines = config.engines.size() + config.shadow.size();
  out.policies = workers * engines * (kState + config.budget.memory_bytes);
  out.remembered = workers * engines * (config.cache.entries > 0 ? config.cache.bytes : 0);
  return out;
}

std::string MemoryPlan::text() const {
  return "at most " + base::formatSize(sum()) + " of " + base::formatSize(limit) + ": connections " +
         base::formatSize(connections) + ", handshakes " + base::formatSize(handshakes) +
         ", bodies waiting for policy " + base::formatSize(bodies) + ", unread responses " +
         base::formatSize(responses) + ", audit queue " + base::formatSize(audit_queue) + ", policy engines " +
         base::formatSize(policies) + ", cached results " + base::formatSize(remembered);
}

}  // namespace yett::runtime
