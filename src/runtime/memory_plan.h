// What the process may hold in memory, by purpose: budgets derived from the configuration and the memory available to
// the process. Each budget is enforced where the memory is allocated.
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"

namespace yett::runtime {

struct MemoryPlan {
  uint64_t limit = 0;            ///< `memory_limit`, or what the cgroup or the host has
  int64_t most_connections = 0;  ///< `max_connections`, or as many as fit into half of the limit
  uint64_t connections = 0;      ///< bytes for that many idle connections
  size_t most_handshakes = 0;    ///< connections that may be in each of the three handshake stages at once
  uint64_t handshakes = 0;       ///< additional bytes for these
  uint64_t bodies = 0;           ///< of requests that wait for a decision
  uint64_t responses = 0;        ///< that peers do not read
  uint64_t audit_queue = 0;      ///< records that are not on disk yet
  uint64_t policies = 0;         ///< states of Lua engines, at their budget
  uint64_t remembered = 0;       ///< results of conditions

  uint64_t sum() const { return connections + handshakes + bodies + responses + audit_queue + policies + remembered; }
  /// One line for people.
  std::string text() const;
};

/// `workers`: how many there are.
MemoryPlan planMemory(const config::Config& config, size_t workers);

/// The configured number of workers, or the number of CPUs.
size_t workersOf(const config::Config& config);

}  // namespace yett::runtime
