// The counters of one run.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace load {

inline int64_t nanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

struct Run {
  bool measuring = false;
  uint64_t answered = 0;  ///< in total
  uint64_t errors = 0;    ///< other statuses, broken connections
  uint64_t handshakes = 0;
  uint64_t resumed = 0;
  uint64_t bytes = 0;               ///< of bodies received, while measuring
  std::vector<uint32_t> latencies;  ///< nanoseconds, while measuring; at most 4.2 s

  void answer(int64_t asked, bool ok) {
    ++answered;
    if (!ok) ++errors;
    if (measuring) latencies.push_back(static_cast<uint32_t>(std::min<int64_t>(nanos() - asked, UINT32_MAX)));
  }
};

}  // namespace load
