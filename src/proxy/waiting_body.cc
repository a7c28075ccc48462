#include "proxy/waiting_body.h"

namespace yett::proxy {

static constexpr size_t kMaxKept = 64 << 10;  // of a buffer, for the next request

void WaitingBody::begin(const std::string& owner, size_t* connection, int64_t now_millis) {
  owner_ = &owner;
  connection_ = connection;
  growing_ = true;
  since_ = now_millis;
}

WaitingBody::Taken WaitingBody::take(std::string_view data, uint64_t most) {
  const bool fits = text_.size() + data.size() <= most;
  if (fits && shares_.take(*owner_, connection_, data.size())) {
    held_ += data.size();
    text_ += data;
    return Taken::kYes;
  }
  release();
  return fits ? Taken::kNoRoom : Taken::kTooLarge;
}

base::Millis WaitingBody::timeLeft(int64_t now_millis, base::Millis limit, uint64_t rate) const {
  if (rate == 0) return base::Millis::max();
  const auto earned = static_cast<int64_t>(text_.size() * 1000 / rate);
  return base::Millis(since_ + limit.count() + earned - now_millis);
}

void WaitingBody::release() {
  if (held_ > 0) shares_.give(*owner_, connection_, held_);
  held_ = 0;
  if (text_.capacity() > kMaxKept) text_ = std::string();
  text_.clear();
  growing_ = false;
}

}  // namespace yett::proxy
