// Limits how long a codec works on one peer's data before others get their turn: one read may contain thousands of
// requests that cost only a few bytes each.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace yett::http {

class Turn {
 public:
  explicit Turn(int64_t nanos) : nanos_(nanos) {}
  /// Called between two requests, or after some pieces of a body. The first call starts the turn, so a peer that sends
  /// one request at a time costs no clock read.
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
