#include "upstream/balancer.h"

namespace yett::upstream {

size_t Balancer::next(int64_t now_millis) {
  const size_t count = failed_until_.size();
  for (size_t i = 0; i < count; ++i) {
    const size_t endpoint = (next_ + i) % count;
    if (failed_until_[endpoint] > now_millis) continue;
    next_ = endpoint + 1;
    return endpoint;
  }
  return next_++ % count;
}

}  // namespace yett::upstream
