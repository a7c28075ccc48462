// Detects that the wall clock was set: it advanced by a different time than has passed. One thread.
#pragma once

#include <cstdint>

namespace yett::audit {

class ClockWatch {
 public:
  /// `wall`: microseconds since 1970; `passed`: microseconds of a clock that nobody sets and that also runs while the
  /// machine sleeps. Returns by how much the wall clock was set since the last call, if by a minute or more; else 0.
  int64_t look(int64_t wall, int64_t passed);

 private:
  static constexpr int64_t kMin = 60'000'000;
  bool looked_ = false;
  int64_t ahead_ = 0;  // `wall - passed` at the last call
};

}  // namespace yett::audit
