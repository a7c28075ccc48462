// Notices that the wall clock was set: it moved by another time than has passed. One thread.
#pragma once

#include <cstdint>

namespace yett::audit {

class ClockWatch {
 public:
  /// `wall`: microseconds since 1970; `passed`: microseconds of a clock that runs on while the machine sleeps and that
  /// nobody sets. By how much the wall clock was set since the last look, where that is over a minute; else 0.
  int64_t look(int64_t wall, int64_t passed);

 private:
  static constexpr int64_t kMin = 60'000'000;
  bool looked_ = false;
  int64_t ahead_ = 0;  // of the wall clock, when it was last looked at or set
};

}  // namespace yett::audit
