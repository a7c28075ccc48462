// Time is passed as plain numbers. Code that decides takes "now" as a parameter; these functions are for code that
// serves, measures, waits or writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace yett::base {

/// Microseconds since 1970-01-01 UTC. May go backward; order comes from sequence numbers, never from this.
inline int64_t wallMicros() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

/// Nanoseconds of a clock that never goes back.
inline int64_t steadyNanos() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

/// Microseconds since boot, including time asleep. This clock cannot be set.
int64_t bootMicros();

/// "2026-11-21T12:00:00.000001Z" (RFC 3339, always six digits, UTC).
std::string formatTime(int64_t wall_micros);

/// The current time as "Sat, 21 Nov 2026 12:00:00 GMT" (RFC 9110 5.6.7). The view is valid until this thread calls
/// again in another second.
std::string_view httpDate();

}  // namespace yett::base
