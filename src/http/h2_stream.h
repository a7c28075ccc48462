// What the streams of both sides of an HTTP/2 connection share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/held.h"
#include "http/stream.h"

namespace yett::http {

class H2Session;

/// Bytes that wait to be sent, and bytes that wait to be taken. Belongs to its session.
class H2Stream {
 public:
  H2Stream(H2Session& session, BodyHandler* handler) : session_(session), handler_(handler) {}
  virtual ~H2Stream() = default;

 protected:
  friend class H2Session;
  friend struct H2Callbacks;
  /// Some of the body, or the end of the message, is here.
  virtual void beforeData() {}
  virtual void beforeEnd() {}
  /// More of a body came than `body_limit_` allows; the rest is thrown away.
  virtual void onTooLarge() {}
  void queueBody(std::string_view data);
  void queueEnd(const HeaderMap& trailers);
  /// No more than the peer's windows let through now. Where much waits on the connection already, a stream that has
  /// something waiting has no room for more. Without room, the handler's onWritable() comes once there is.
  bool hasRoom();
  /// How many more bytes of the body should be read now.
  size_t appetite() const;
  int64_t most() const;
  void pause() { paused_ = true; }
  void resume();
  size_t pending() const { return out_.size() - sent_; }

  H2Session& session_;
  BodyHandler* handler_;  // null: nobody listens any more
  int32_t id_ = 0;
  std::string out_;  // from sent_ on
  size_t sent_ = 0;
  std::string held_;    // came while paused; its window is not given back yet
  base::Held counted_;  // both
  void count() { counted_.set(pending() + held_.size()); }
  HeaderMap trailers_out_;
  std::string trailers_text_;
  bool paused_ = false;
  bool in_ended_ = false;   // the peer's half is over
  bool end_told_ = false;   // and the handler knows
  bool out_ended_ = false;  // ours is, once out_ is sent
  bool was_full_ = false;
  bool widened_ = false;   // its window is no longer the first, small one
  bool resuming_ = false;  // among the session's resumed_
  bool reset_ = false;     // by us
  bool reset_by_peer_ = false;
  int64_t since_ = 0;              // when it began
  bool closed_ = false;            // for nghttp2, which knows the stream no more
  bool outlives_closing_ = false;  // until what is held was taken
  uint64_t body_limit_ = 0;        // 0: none
  uint64_t received_ = 0;
  uint64_t sent_total_ = 0;
};

}  // namespace yett::http
