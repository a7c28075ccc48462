#include "identity/expiry_notice.h"

#include <algorithm>

namespace yett::identity {

ExpiryNotice::Due ExpiryNotice::due(int64_t from, int64_t until, int64_t now) {
  constexpr int64_t kHour = 3600;
  constexpr int64_t kDay = 24 * kHour;
  if (until != until_) *this = {};
  until_ = until;
  const int64_t life = std::max<int64_t>(until - from, 0);
  const bool ended = now >= until;
  if (!ended && until - now > life / 3) {
    told_at_ = 0;  // the clock may have been set back
    return Due::kNothing;
  }
  const int64_t interval = life < 3 * kDay ? kHour : kDay;
  const bool again = told_at_ == 0 || ended != ended_ || now - told_at_ >= interval || now < told_at_;
  if (!again) return Due::kNothing;
  told_at_ = now;
  ended_ = ended;
  return ended ? Due::kEnded : Due::kEnds;
}

}  // namespace yett::identity
