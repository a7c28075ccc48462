// What the process may hold in memory, and what of: budgets that follow from the configuration and the memory that the
// process is given. Each budget is kept where the memory is taken.
#pragma once

#include <cstdint>
#include <string>

#include "config/config.h"

namespace yett::runtime {

struct MemoryPlan {
  uint64_t limit = 0;            ///< `memory_limit`, or what the cgroup or the host has
  int64_t most_connections = 0;  ///< `max_connections`, or as many as half of the limit is enough for
  uint64_t connections = 0;      ///< these, each with what an idle one holds
  size_t most_handshakes = 0;    ///< of these: in each of the three stages of a handshake at once
  uint64_t handshakes = 0;       ///< what these hold beside
  uint64_t bodies = 0;           ///< of requests that wait for a decision
  uint64_t responses = 0;        ///< for peers who do not take them
  uint64_t audit_queue = 0;      ///< records that are not on disk yet
  uint64_t policies = 0;         ///< states of Lua engines, at their budget
  uint64_t remembered = 0;       ///< results of conditions

  uint64_t sum() const { return connections + handshakes + bodies + responses + audit_queue + policies + remembered; }
  /// One line for people.
  std::string text() const;
};

/// `workers`: how many there are.
MemoryPlan planMemory(const config::Config& config, size_t workers);

/// As many as the configuration says, or as there are CPUs.
size_t workersOf(const config::Config& config);

}  // namespace yett::runtime
