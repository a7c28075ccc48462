#include "audit/clock_watch.h"

#include <utility>

namespace yett::audit {

// A slewed clock drifts slowly: only steps between two calls count.
int64_t ClockWatch::look(int64_t wall, int64_t passed) {
  const int64_t ahead = wall - passed;
  const int64_t step = std::exchange(looked_, true) ? ahead - ahead_ : 0;
  ahead_ = ahead;
  return step >= kMin || step <= -kMin ? step : 0;
}

}  // namespace yett::audit
