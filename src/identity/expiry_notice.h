// When to say that a certificate or a CRL ends: once a third of its life is left, then once a day, or once an hour if
// it lives less than three days.
#pragma once

#include <cstdint>

namespace yett::identity {

/// What was said of one of them. Times in seconds since 1970.
class ExpiryNotice {
 public:
  enum class Due : uint8_t { kNothing, kEnds, kEnded };
  /// What to say now; asking again right away gives kNothing.
  Due due(int64_t from, int64_t until, int64_t now);

 private:
  int64_t until_ = 0;
  int64_t told_at_ = 0;
  bool ended_ = false;
};

}  // namespace yett::identity
