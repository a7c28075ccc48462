// How long a codec may go on with what one peer has sent before others have their turn: requests that cost a few bytes
// to send may come by the thousand in one read.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace yett::http {

class Turn {
 public:
  bool over() const { return base::steadyNanos() - began_ >= kNanos; }

 private:
  static constexpr int64_t kNanos = 250'000;
  const int64_t began_ = base::steadyNanos();
};

}  // namespace yett::http
