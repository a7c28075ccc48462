// How long a codec may go on with what one peer has sent before others have their turn: requests that cost a few bytes
// to send may come by the thousand in one read.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace yett::http {

class Turn {
 public:
  explicit Turn(int64_t nanos) : nanos_(nanos) {}
  /// Asked between two requests, or after some pieces of a body; the first time begins it, so that who sends one at a
  /// time costs no look at a clock.
  bool over() {
    const int64_t now = base::steadyNanos();
    if (began_ == 0) began_ = now;
    return now - began_ >= nanos_;
  }

 private:
  const int64_t nanos_;
  int64_t began_ = 0;
};

}  // namespace yett::http
