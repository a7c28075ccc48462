#include "http/h2_client.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

namespace yett::http {

// More interim responses than any server has reason to send.
static constexpr int kMaxInterims = 16;
static constexpr size_t kSureToFit = 4 << 10;  // smaller heads are sent without waiting for the settings

class H2Client::Outgoing final : public ClientStream, public H2Stream {
 public:
  Outgoing(H2Client& client, ResponseHandler& handler)
      : H2Stream(client, &handler), client_(client), response_(&handler) {
    outlives_closing_ = true;
  }

  bool responseBegun() const override { return begun_; }
  void beforeData() override { client_.onMessage(); }
  /// The whole response has arrived and its handler knows.
  bool ended() const { return end_told_; }

  void fail(ResetCause cause, std::string_view why) {
    ResponseHandler* handler = response_;
    end_told_ = true;
    detach();
    if (handler != nullptr) handler->onReset(cause, why);
  }
  /// The handler is gone; anything that follows is dropped.
  void detach() {
    handler_ = nullptr;
    response_ = nullptr;
  }

  void block(bool ends) {
    begun_ = true;
    if (response_ == nullptr) return;
    ResponseHead& head = response_->responseHead();
    if (final_) {
      if (const auto error = client_.block_.toTrailers(head)) broken(error);
      return;
    }
    head.clear();
    if (const auto error = client_.block_.toResponse(ends, to_head_, head)) return broken(error);
    if (head.status < 200) {
      if (++interims_ > kMaxInterims) return broken({502, "too many interim responses"});
      return response_->onResponse();
    }
    final_ = true;
    if (websocket_ && head.status < 300 && !ends) {
      head.status = 101;  // the status of the switch in HTTP/1.1
      head.framing = Framing::kTunnel;
    }
    const bool whole = head.framing == Framing::kNone || (head.framing == Framing::kLength && head.content_length == 0);
    response_->onResponse();
    // The head completes it (RFC 9110 6.4.1), as in HTTP/1.1: nothing that follows belongs to it.
    if (!whole || ends || response_ == nullptr) return;
    end_told_ = true;
    handler_->onEnd();
  }

  void sendRequest(const RequestHead& head, const HeaderMap& added) override {
    to_head_ = head.method == "HEAD";
    websocket_ = head.wants_websocket;
    held_back_ = nullptr;
    // An extended CONNECT must wait until the peer allows it (RFC 8441 3); otherwise it may be read as another request.
    // A large head waits for the peer's size limit: some peers close the connection, with all its in-flight exchanges,
    // if a head is too large.
    const bool large = headListSize(head, added) > kSureToFit;
    if ((websocket_ || large) && !client_.settings_seen_) {
      held_back_ = &head;
      held_added_ = &added;
      return;
    }
    if (websocket_ && !client_.takesConnect()) {
      refused_ = true;
      return client_.sendSoon();
    }
    if (large && headListSize(head, added) > client_.largestHead()) {
      too_large_ = true;
      return client_.sendSoon();
    }
    client_.fields_.request(head, added, client_.scheme_);
    id_ = client_.submitRequest(websocket_ || head.framing != Framing::kNone);
    // If no stream id is left, it stays in unsent_, and onBatchEnd() fails it.
    if (id_ > 0) client_.addStream(client_.takeUnsent(*this));
    else failed_ = true;
  }
  /// Drops the queued bytes and returns their number.
  size_t drop() {
    const size_t bytes = pending();
    out_.clear();
    sent_ = 0;
    return bytes;
  }
  bool failed() const { return failed_; }
  bool refused() const { return refused_; }
  bool tooLarge() const { return too_large_; }
  bool heldBack() const { return held_back_ != nullptr; }
  void sendHeldBack() { sendRequest(*held_back_, *held_added_); }
  void finish() {
    if (id_ <= 0) return;                                               // never sent
    if (in_ended_ && out_ended_ && pending() == 0 && !closed_) return;  // frames in transit will close it
    // Either nghttp2 has closed it, and it was kept only for its handler; or nghttp2 never opened it.
    const bool unknown = closed_ || nghttp2_session_find_stream(client_.session_, id_) == nullptr;
    client_.resetStream(*this, NGHTTP2_CANCEL);
    if (unknown) client_.forget(id_, NGHTTP2_NO_ERROR);
  }
  /// The connection is lost. A response that arrived completely is still delivered, even if paused.
  void lost(std::string_view why) {
    if (!in_ended_ || end_told_ || handler_ == nullptr) return fail(ResetCause::kPeerClosed, why);
    const std::string held = std::move(held_);
    held_.clear();
    if (!held.empty()) handler_->onBody(held);
    if (handler_ == nullptr) return;
    end_told_ = true;
    handler_->onEnd();
    if (handler_ != nullptr) fail(ResetCause::kPeerClosed, why);  // a tunnel, whose other half is open
  }
  void sendBody(std::string_view data) override { queueBody(data); }
  void sendEnd(const HeaderMap& trailers) override { queueEnd(trailers); }
  void reset() override {
    detach();
    client_.resetStream(*this, NGHTTP2_CANCEL);
  }
  bool writable() override { return hasRoom(); }
  size_t heldBytes() const override { return counted_.bytes(); }
  void pauseBody() override { pause(); }
  void resumeBody() override { resume(); }

 private:
  void broken(const ParseError& error) {
    client_.resetStream(*this, NGHTTP2_PROTOCOL_ERROR);
    fail(error.status == 431 ? ResetCause::kTooLarge : ResetCause::kProtocolError, error.why);
  }

  H2Client& client_;
  ResponseHandler* response_;
  int interims_ = 0;
  bool to_head_ = false;
  bool websocket_ = false;
  bool begun_ = false;
  bool final_ = false;
  bool failed_ = false;
  bool refused_ = false;  // the service does not support it
  bool too_large_ = false;
  const RequestHead* held_back_ = nullptr;  // until the service's settings are known; owned by the handler
  const HeaderMap* held_added_ = nullptr;
};

H2Client::H2Client(Wire& wire, const Limits& limits, std::string_view scheme)
    : H2Session(wire, limits, false), scheme_(scheme) {
  submitSettings(false, false);
}

H2Client::~H2Client() = default;

void H2Client::probe(bool keeps_alive) {
  constexpr int64_t kLately = 500;  // milliseconds: callers give up more often than connections die
  constexpr int kMaxProbes = 2;     // gRPC servers close the connection at the third (too_many_pings)
  if (probing_ || gone_ || wire_.nowMillis() - heard_at_ < kLately) return;
  if (!keeps_alive && probes_ == kMaxProbes) return leave();
  if (!keeps_alive) ++probes_;
  probing_ = true;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  sendSoon();
}

size_t H2Client::onBytes(std::string_view bytes) {
  heard_at_ = wire_.nowMillis();
  for (size_t used = 0; used < bytes.size();) used += receive(bytes.substr(used));
  if (settings_seen_ && !gone_) sendHeldBack();
  return bytes.size();
}

void H2Client::sendHeldBack() {
  for (size_t i = 0; i < unsent_.size();) {
    Outgoing& stream = *unsent_[i];
    if (stream.heldBack()) stream.sendHeldBack();
    if (i < unsent_.size() && unsent_[i].get() == &stream) ++i;  // otherwise it was sent, and the next one is here
  }
}

bool H2Client::takesConnect() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

size_t H2Client::largestHead() const {
  return nghttp2_session_get_remote_settings(session_,
                                             NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);  // unlimited until known
}

size_t H2Client::room() const {
  if (spent() || probing_) return 0;
  const size_t theirs =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);  // large until known
  const size_t most = std::min<size_t>(theirs, limits_.streams);
  const size_t now = streams_.size() + unsent_.size();
  return now < most ? most - now : 0;
}

ClientStream& H2Client::open(ResponseHandler& handler) {
  return *unsent_.emplace_back(std::make_unique<Outgoing>(*this, handler));
}

void H2Client::close(ClientStream& stream) {
  auto& outgoing = static_cast<Outgoing&>(stream);
  outgoing.detach();
  // If both halves are over, the stream is closed or will be by frames in transit. If not, reset it.
  if (!dropUnsent(outgoing)) outgoing.finish();
}

std::unique_ptr<H2Client::Outgoing> H2Client::takeUnsent(const Outgoing& stream) {
  const auto it = std::find_if(unsent_.begin(), unsent_.end(), [&](const auto& one) { return one.get() == &stream; });
  if (it == unsent_.end()) return nullptr;
  std::unique_ptr<Outgoing> out = std::move(*it);
  unsent_.erase(it);
  return out;
}

// Also drops its queued bytes.
std::unique_ptr<H2Client::Outgoing> H2Client::dropUnsent(const Outgoing& stream) {
  auto out = takeUnsent(stream);
  if (out) waiting_ -= out->drop();
  return out;
}

void H2Client::failUnsent() {
  for (size_t i = 0; i < unsent_.size();) {
    if (!unsent_[i]->failed() && !unsent_[i]->refused() && !unsent_[i]->tooLarge()) {
      ++i;
      continue;
    }
    const auto stream = dropUnsent(*unsent_[i]);
    if (stream->refused()) {
      stream->fail(ResetCause::kReset, "the service does not support WebSocket over HTTP/2 (RFC 8441 3)");
      continue;
    }
    if (stream->tooLarge()) {
      stream->fail(ResetCause::kHeadTooLarge, "the head is too large for the service (SETTINGS_MAX_HEADER_LIST_SIZE)");
      continue;
    }
    leaving_ = true;
    stream->fail(ResetCause::kRefused, "the connection accepts no more requests");
  }
}

void H2Client::onBatchEnd() {
  failUnsent();
  send();
}

void H2Client::onBlock(int32_t id, int, bool ends) {
  onMessage();
  if (auto* stream = static_cast<Outgoing*>(find(id))) stream->block(ends);
}

void H2Client::onStreamClosed(H2Stream& stream, uint32_t code) {
  auto& outgoing = static_cast<Outgoing&>(stream);
  if (code == NGHTTP2_REFUSED_STREAM) return outgoing.fail(ResetCause::kRefused, "the upstream refused the stream");
  if (code == NGHTTP2_PROTOCOL_ERROR)
    return outgoing.fail(ResetCause::kProtocolError, "a response that violates the rules of HTTP/2");
  // If the handler was told of the end and is still there, it is a tunnel whose other half was open.
  if (code == NGHTTP2_NO_ERROR && outgoing.ended())
    return outgoing.fail(ResetCause::kEnough, "the upstream accepts no more data");
  outgoing.fail(ResetCause::kReset, "the upstream reset the stream");
}

void H2Client::onConnectionLost(H2Stream& stream, std::string_view why) {
  static_cast<Outgoing&>(stream).lost(why);
}

void H2Client::onPeerClosed(bool, std::string_view why) {
  std::string text = "the upstream closed the connection";
  if (!why.empty()) (text += ": ") += why;
  failUnsent();
  while (!unsent_.empty()) dropUnsent(*unsent_.front())->fail(ResetCause::kPeerClosed, text);
  closeStreams(text);
  wire_.abort();
}

}  // namespace yett::http
