#include "http/h2_server.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <utility>

#include "http/request_rules.h"
#include "http/turn.h"

namespace yett::http {

/// One request and its response.
class H2Server::Incoming final : public ServerStream, public H2Stream {
 public:
  Incoming(H2Server& server, int32_t id) : H2Stream(server, nullptr), server_(server) {
    id_ = id;
    body_limit_ = server.limits_.body_bytes;
    request_ = &server.events_.onStream(*this);
    handler_ = request_;
  }

  size_t head_size = 0;  // as decoded by HPACK, including trailers
  RequestHandler& request() { return *request_; }
  /// The handler is told of the end only once, and not after it has responded or reset.
  void lost(ResetCause cause, std::string_view why) {
    if (!done_) tell();  // it is decided and recorded like any other
    handler_ = nullptr;
    if (done_) return;
    done_ = cause == ResetCause::kPeerClosed;  // otherwise the handler may still respond
    request_->onReset(cause, why);
  }

  void begin(bool ends) {
    RequestHead& head = request_->requestHead();
    head.clear();
    if (const auto error = server_.block_.toRequest(ends, server_.limits_, head)) {
      return request_->onBadRequest(error.status, error.why);
    }
    undecided_ = head.framing == Framing::kChunked && !meansContent(head.method) && !head.wants_websocket;
    if (!undecided_) request_->onRequest();
  }
  /// Some clients end a GET with an empty DATA frame, so only the next frame shows whether there is a body. If no frame
  /// comes for a second, a body is assumed.
  void tell() {
    if (std::exchange(undecided_, false) && !done_) request_->onRequest();
  }
  void beforeData() override { tell(); }
  void beforeEnd() override {
    RequestHead& head = request_->requestHead();
    if (undecided_ && head.trailers.fields().empty()) head.framing = Framing::kNone;
    tell();
  }

  /// `room`: false if all heads of the connection together have reached their limit; then nothing is kept.
  void trailers(bool room) {
    RequestHead& head = request_->requestHead();
    if (!room) return lost(ResetCause::kTooLarge, "trailers over the limit for all heads of a connection");
    if (const auto error = server_.block_.toTrailers(head)) {
      head.trailers.clear();
      lost(ResetCause::kProtocolError, error.why);
    }
  }

  void onTooLarge() override { lost(ResetCause::kTooLarge, "a body over the limit"); }

  /// Complete for its handler, but the client has read nothing of the rest for the whole stall limit.
  bool stalled(int64_t now) {
    const bool over = done_ || (tunnel_ && out_ended_ && end_told_);
    if (!over || reset_ || closed_) return false;
    if (stalled_at_ < 0 || sent_total_ != stalled_sent_) {
      stalled_at_ = now;
      stalled_sent_ = sent_total_;
    }
    return now - stalled_at_ >= server_.limits_.stall_millis;
  }

  void halfSent() {
    // The response is complete and nobody reads the rest of the request (RFC 9113 8.1). An immediate reset would be
    // correct, but common clients (curl 7.88) discard a response that they read together with it.
    if (!in_ended_ && !reset_ && !tunnel_) linger_until_ = server_.wire_.nowMillis() + kLinger;
  }
  bool undecided() const { return undecided_; }
  int64_t since() const { return since_; }
  bool lingered(int64_t now) const { return linger_until_ != 0 && now >= linger_until_; }

  void sendInterim(const ResponseHead& head) override {
    if (head_sent_ || reset_) return;
    server_.fields_.response(head, {}, false);
    server_.submitInterim(*this);
  }

  void sendResponse(const ResponseHead& head, const HeaderMap& added) override {
    if (head_sent_ || reset_) return;
    head_sent_ = true;
    tunnel_ = head.framing == Framing::kTunnel;
    if (tunnel_) {
      body_limit_ = 0;
      outlives_closing_ = true;
    }
    const bool to_head = request_->requestHead().method == "HEAD";
    bodiless_ = to_head || head.framing == Framing::kNone || (head.framing == Framing::kLength && !head.content_length);
    to_send_ = head.framing == Framing::kLength && !to_head ? head.content_length : kUnknown;
    server_.fields_.response(head, added, to_head || head.status == 304);
    if (!server_.submitResponse(*this, !bodiless_)) server_.resetStream(*this, NGHTTP2_INTERNAL_ERROR);
  }

  void sendBody(std::string_view data) override {
    if (bodiless_ || done_) return;
    if (to_send_ != kUnknown) {
      data = data.substr(0, to_send_);
      to_send_ -= data.size();
    }
    queueBody(data);
  }

  void sendEnd(const HeaderMap& trailers) override {
    if (done_) return;
    if (!bodiless_ && to_send_ != kUnknown && to_send_ > 0) return reset();
    if (!tunnel_) done_ = true;
    if (!bodiless_) queueEnd(trailers);
  }

  void reset() override {
    handler_ = nullptr;
    done_ = true;
    if (closed_) server_.forget(id_, NGHTTP2_NO_ERROR);  // nghttp2 has closed it; it was kept only for its handler
    else server_.resetStream(*this, NGHTTP2_INTERNAL_ERROR);
  }
  bool writable() override { return hasRoom(); }
  size_t heldBytes() const override { return counted_.bytes(); }
  size_t appetite() override { return H2Stream::appetite(); }
  void pauseBody() override { pause(); }
  void resumeBody() override { resume(); }
  void discardBody() override {
    // Return the window of held bytes to the client; H2Session discards new bytes once there is no handler.
    resume();
    handler_ = nullptr;
    if (tunnel_ && out_ended_) linger_until_ = server_.wire_.nowMillis() + kLinger;
  }

 private:
  static constexpr uint64_t kUnknown = UINT64_MAX;
  H2Server& server_;
  RequestHandler* request_;
  uint64_t to_send_ = kUnknown;
  bool undecided_ = false;  // unknown whether it has a body
  bool head_sent_ = false;
  bool bodiless_ = false;
  bool tunnel_ = false;
  static constexpr int64_t kLinger = 1000;
  int64_t linger_until_ = 0;
  int64_t stalled_at_ = -1;
  uint64_t stalled_sent_ = 0;
  bool done_ = false;  // the handler has ended or reset it, or was told of its end
};

H2Server::H2Server(Wire& wire, ServerEvents& events, const Limits& limits, bool websockets)
    : H2Session(wire, limits, true), events_(events) {
  submitSettings(true, websockets);
}

H2Server::~H2Server() = default;

size_t H2Server::onBytes(std::string_view bytes) {
  Turn turn(wire_.turnNanos());
  size_t used = 0;
  while (used < bytes.size()) {
    // A peer that sends requests but does not read has to wait.
    if (wire_.buffered() >= kWriteMark && nghttp2_session_get_outbound_queue_size(session_) > limits_.streams) {
      wire_.pauseReading();
      return used;
    }
    used += receive(bytes.substr(used));
    if (used < bytes.size() && turn.over() && wire_.yield()) return used;
  }
  return used;
}

void H2Server::onWritable() {
  wire_full_since_ = 0;
  wire_.resumeReading();
  send();
}

void H2Server::onBlock(int32_t id, int category, bool ends) {
  if (category == NGHTTP2_HCAT_REQUEST) {
    if (!headsHaveRoom()) return refuseStream(id);
    auto stream = std::make_unique<Incoming>(*this, id);
    Incoming& made = *stream;
    countHead(made, block_.decodedBytes());
    addStream(std::move(stream));
    made.begin(ends);
  } else if (auto* stream = static_cast<Incoming*>(find(id))) {
    const bool room = headsHaveRoom();
    if (room) countHead(*stream, stream->head_size + block_.decodedBytes());
    stream->trailers(room);
  }
}

// With HPACK, a field sent once can be repeated in every head and trailer for one byte, so the heads of all streams
// share one limit.
bool H2Server::headsHaveRoom() const {
  return heads_ + block_.decodedBytes() <= std::max<size_t>(4 * limits_.head_bytes, 1 << 20);
}

void H2Server::countHead(Incoming& stream, size_t size) {
  constexpr size_t kOrdinary = 64 << 10;  // of all streams; less than this does not count as held memory
  heads_ = heads_ - stream.head_size + size;
  stream.head_size = size;
  held_heads_.set(heads_ > kOrdinary ? heads_ : 0);
}

// The request may be retried (RFC 9113 8.7).
void H2Server::refuseStream(int32_t id) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
  refused();
}

void H2Server::onStreamClosed(H2Stream& stream, uint32_t code) {
  auto& incoming = static_cast<Incoming&>(stream);
  countHead(incoming, 0);
  if (code != NGHTTP2_NO_ERROR) incoming.lost(ResetCause::kPeerClosed, "the client reset the stream");
  else incoming.lost(ResetCause::kPeerClosed, "the stream ended before its response");
  events_.onStreamEnd(incoming.request());
  if (streams_.empty()) finishDrain();  // do not wait any longer for the PING ACK
}

void H2Server::onConnectionLost(H2Stream& stream, std::string_view why) {
  auto& incoming = static_cast<Incoming&>(stream);
  countHead(incoming, 0);
  incoming.lost(ResetCause::kPeerClosed, why);
  events_.onStreamEnd(incoming.request());
}

// RFC 9113 5.1.1: a skipped id is closed forever. nghttp2 only ignores a peer that uses one.
void H2Server::onHeadersFrame(int32_t id) {
  constexpr size_t kMaxGaps = 64;
  if (id > last_id_) {
    if (id > last_id_ + 2 && skipped_.size() < kMaxGaps) skipped_.emplace_back(last_id_ + 2, id - 2);
    last_id_ = id;
    return;
  }
  for (const auto& [first, last] : skipped_) {
    if (id >= first && id <= last) return terminate(NGHTTP2_PROTOCOL_ERROR, "a stream id that was skipped");
  }
}

void H2Server::onHalfSent(H2Stream& stream) {
  static_cast<Incoming&>(stream).halfSent();
}

void H2Server::onPeerClosed() {
  closeStreams("the client closed before the response was complete");
  wire_.finish();
}

void H2Server::onClosed() {
  closeStreams("the client closed before the response was complete");
}

// Nothing else times out a complete response that the client does not read.
void H2Server::resetStalled(int64_t now) {
  std::vector<H2Stream*> stalled;
  std::vector<H2Stream*> lingered;
  std::vector<Incoming*> undecided;
  streams_.each([&](H2Stream& stream) {
    auto& incoming = static_cast<Incoming&>(stream);
    if (incoming.undecided() && now - incoming.since() >= 1000) undecided.push_back(&incoming);
    if (incoming.lingered(now)) lingered.push_back(&stream);
    else if (incoming.stalled(now)) stalled.push_back(&stream);
  });
  for (auto* stream : stalled) resetStream(*stream, NGHTTP2_CANCEL);
  for (auto* stream : lingered) resetStream(*stream, NGHTTP2_NO_ERROR);
  for (auto* stream : undecided) stream->tell();
}

// Checks that nothing else does. Runs from the connection's timer, or on incoming data if there is so much that the
// timer never fires.
void H2Server::onTick(int64_t now) {
  if (drain_ == Drain::kNoticed && now - drain_since_ >= 1000) finishDrain();
  if (wire_.buffered() >= kWriteMark && wire_full_since_ == 0) wire_full_since_ = now;
  resetStalled(now);
}

void H2Server::onTimeout() {
  if (waiting() == Waiting::kStreams) {
    const int64_t now = wire_.nowMillis();
    onTick(now);
    if (wire_full_since_ != 0 && now - wire_full_since_ >= limits_.stall_millis) wire_.abort();
    return;
  }
  const bool idle = waiting() == Waiting::kRequest;
  terminate(idle ? NGHTTP2_NO_ERROR : NGHTTP2_ENHANCE_YOUR_CALM, idle ? "" : "the request head took too long");
}

Waiting H2Server::waiting() const {
  if (inBlock()) return Waiting::kHead;
  return streams_.empty() ? Waiting::kRequest : Waiting::kStreams;
}

// RFC 9113 6.8: first a notice, so that requests in transit are accepted; the last id once they must have arrived.
void H2Server::drain() {
  if (drain_ != Drain::kNo || gone_) return;
  drain_ = Drain::kNoticed;
  drain_since_ = wire_.nowMillis();
  leaving_ = true;
  nghttp2_submit_shutdown_notice(session_);
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  sendSoon();
}

void H2Server::onPingAnswered() {
  finishDrain();
}

void H2Server::finishDrain() {
  if (drain_ != Drain::kNoticed) return;
  drain_ = Drain::kFinal;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  sendSoon();
}

}  // namespace yett::http
