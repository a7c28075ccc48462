// The common part of client and server streams of an HTTP/2 connection.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/held.h"
#include "base/recycler.h"
#include "http/stream.h"

namespace yett::http {

class H2Session;

/// Buffers bytes to be sent and received bytes to be consumed. Belongs to its session.
class H2Stream : public base::Recycled {
 public:
  H2Stream(H2Session& session, BodyHandler* handler) : session_(session), handler_(handler) {}
  virtual ~H2Stream() = default;

 protected:
  friend class H2Session;
  friend struct H2Callbacks;
  /// Called before a piece of the body, or the end of the message, is delivered.
  virtual void beforeData() {}
  virtual void beforeEnd() {}
  /// The body is larger than `body_limit_`; the rest is discarded.
  virtual void onTooLarge() {}
  void queueBody(std::string_view data);
  void queueEnd(const HeaderMap& trailers);
  /// Whether more can be queued, within the peer's current windows. If much is already queued on the connection, only
  /// streams with nothing queued have room. If it returns false, onWritable() is called once there is room.
  bool hasRoom();
  /// How many more bytes of the body should be read now.
  size_t appetite() const;
  int64_t most() const;
  void pause() { paused_ = true; }
  void resume();
  size_t pending() const { return out_.size() - sent_; }

  H2Session& session_;
  BodyHandler* handler_;  // null: no longer listening
  int32_t id_ = 0;
  std::string out_;  // unsent from sent_ on
  size_t sent_ = 0;
  std::string held_;    // received while paused; its window is not returned yet
  base::Held counted_;  // both
  void count() { counted_.set(pending() + held_.size()); }
  HeaderMap trailers_out_;
  std::string trailers_text_;
  bool paused_ = false;
  bool in_ended_ = false;   // the peer's half is over
  bool end_told_ = false;   // and the handler knows
  bool out_ended_ = false;  // our half is, once out_ is sent
  bool was_full_ = false;
  bool widened_ = false;   // its window is no longer the first, small one
  bool resuming_ = false;  // among the session's resumed_
  bool reset_ = false;     // by us
  bool reset_by_peer_ = false;
  int64_t since_ = 0;              // start time
  bool closed_ = false;            // nghttp2 has closed and forgotten the stream
  bool outlives_closing_ = false;  // until the held bytes are consumed
  uint64_t body_limit_ = 0;        // 0: none
  uint64_t received_ = 0;
  uint64_t sent_total_ = 0;
};

}  // namespace yett::http
