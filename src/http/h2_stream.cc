#include "http/h2_stream.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "http/h2_session.h"

namespace yett::http {

static constexpr size_t kKeepCapacity = 16 << 10;
static constexpr size_t kConnectionMark = 512 << 10;

// How many bytes may be queued: as many as fit the peer's window, plus 64. The end of a response follows its last byte
// and must be read along with it, since nghttp2 sends nothing on a stream without window, not even its end. Before the
// first byte is sent it is at least 16 KiB, the size of the first read.
int64_t H2Stream::most() const {
  constexpr int64_t kEnd = 64;
  constexpr int64_t kFirst = 16 << 10;
  constexpr int64_t kCrowded = 4 << 10;
  if (id_ <= 0) return kWriteMark;
  const int64_t window = nghttp2_session_get_stream_remote_window_size(session_.session_, id_);
  const int64_t fits = std::clamp<int64_t>(window + kEnd, sent_total_ == 0 ? kFirst : kEnd, kWriteMark + kEnd);
  return session_.waiting_ < kConnectionMark ? fits : std::min(fits, kCrowded);
}

// A stream with nothing queued always has room. One without room drains, and its handler is notified then.
bool H2Stream::hasRoom() {
  const bool crowded = session_.waiting_ >= kConnectionMark;
  const bool room = static_cast<int64_t>(pending()) < most() && (!crowded || pending() == 0);
  if (!room) was_full_ = true;
  return room;
}

size_t H2Stream::appetite() const {
  return static_cast<size_t>(std::max<int64_t>(most() - static_cast<int64_t>(pending()), 1));
}

void H2Stream::queueBody(std::string_view data) {
  if (data.empty() || out_ended_ || reset_) return;
  if (pending() == 0) {
    if (out_.capacity() > kKeepCapacity) std::string().swap(out_);
    out_.clear();
    sent_ = 0;
  }
  if (sent_ > kWriteMark) {  // a slow reader's buffer never runs empty
    out_.erase(0, sent_);
    sent_ = 0;
  }
  out_ += data;
  session_.waiting_ += data.size();
  hasRoom();
  count();
  nghttp2_session_resume_data(session_.session_, id_);
  session_.sendSoon();
}

void H2Stream::queueEnd(const HeaderMap& trailers) {
  if (out_ended_ || reset_) return;
  out_ended_ = true;
  size_t size = 0;
  for (const auto& field : trailers.fields()) size += field.name.size() + field.value.size();
  trailers_text_.reserve(size);  // views into it must stay good
  for (const auto& field : trailers.fields()) {
    if (field.dropped) continue;
    const char* at = trailers_text_.data() + trailers_text_.size();
    trailers_text_ += field.name;
    trailers_text_ += field.value;
    trailers_out_.add({at, field.name.size()}, {at + field.name.size(), field.value.size()});
  }
  nghttp2_session_resume_data(session_.session_, id_);
  session_.sendSoon();
}

void H2Stream::resume() {
  if (!paused_) return;
  paused_ = false;
  if (resuming_ || (held_.empty() && !in_ended_)) return;
  resuming_ = true;
  session_.resumed_.push_back(id_);
  session_.sendSoon();
}

}  // namespace yett::http
