// Time enters as plain numbers. What decides takes "now" as a parameter; these two are for what serves, measures,
// waits and writes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace yett::base {

/// Microseconds since 1970-01-01 UTC. May go back; order is told by sequence numbers, never by this.
inline int64_t wallMicros() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

/// Nanoseconds of a clock that never goes back.
inline int64_t steadyNanos() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

/// Microseconds since the machine was started, those included in which it slept. Nobody sets it.
int64_t bootMicros();

/// "2026-11-21T12:00:00.000001Z" (RFC 3339, always six digits, UTC).
std::string formatTime(int64_t wall_micros);

/// "Sat, 21 Nov 2026 12:00:00 GMT" (RFC 9110 5.6.7) of now. Valid until this thread's next call in another second.
std::string_view httpDate();

}  // namespace yett::base
