#include "http/h1_client.h"

#include "http/h1_write.h"

namespace yett::http {

// More interim responses than any server has reason to send.
static constexpr int kMaxInterims = 16;

ClientStream& H1Client::open(ResponseHandler& handler) {
  handler_ = &handler;
  phase_ = Phase::kHead;
  head_seen_ = 0;
  interims_ = 0;
  request_done_ = received_any_ = keep_alive_ = paused_ = tunnel_ended_ = false;
  return *this;
}

void H1Client::close(ClientStream&) {
  handler_ = nullptr;
  // Both halves are over, and the connection may serve another exchange.
  if (phase_ == Phase::kDone && request_done_ && keep_alive_ && !leaving_) phase_ = Phase::kIdle;
  else if (phase_ == Phase::kTunnel && request_done_ && tunnel_ended_) wire_.finish();
}

size_t H1Client::onBytes(std::string_view bytes) {
  if (phase_ == Phase::kIdle || phase_ == Phase::kDone) {
    // Unsolicited bytes: the next request would get them as its response.
    keep_alive_ = false;
    phase_ = Phase::kBroken;
    wire_.abort();
    return bytes.size();
  }
  received_any_ = true;
  size_t used = 0;
  while (phase_ == Phase::kHead) {
    const size_t n = readHead(bytes.substr(used));
    used += n;
    if (n == 0) return used;
  }
  std::string_view rest = bytes.substr(used);
  if (phase_ == Phase::kTunnel && !paused_ && handler_ != nullptr) {
    if (!rest.empty()) handler_->onBody(rest);
    return bytes.size();
  }
  while (phase_ == Phase::kBody && !paused_ && handler_ != nullptr) {
    std::string_view data;
    const auto state = body_.next(rest, limits_, handler_->responseHead(), data);
    if (state == H1BodyReader::State::kMore) break;
    if (state == H1BodyReader::State::kBad) {
      fail(body_.error().status == 431 ? ResetCause::kTooLarge : ResetCause::kProtocolError, body_.error().why);
      return bytes.size();
    }
    if (state == H1BodyReader::State::kData) handler_->onBody(data);
    if (phase_ == Phase::kBody && body_.done()) {
      if (!rest.empty()) keep_alive_ = false;
      endResponse();
      return bytes.size();
    }
  }
  return phase_ == Phase::kBroken ? bytes.size() : bytes.size() - rest.size();
}

size_t H1Client::readHead(std::string_view bytes) {
  bool bare_lf = false;
  const size_t end = findHeadEnd(bytes, head_seen_ > 3 ? head_seen_ - 3 : 0, bare_lf);
  if (end == 0) {
    if (bare_lf) fail(ResetCause::kProtocolError, "a line that does not end with CRLF");
    else if (bytes.size() > limits_.head_bytes) fail(ResetCause::kTooLarge, "a response head over `max_response_head`");
    else head_seen_ = bytes.size();
    return phase_ == Phase::kBroken ? bytes.size() : 0;
  }
  head_seen_ = 0;
  if (handler_ == nullptr) return 0;
  ResponseHead& head = handler_->responseHead();
  head.clear();
  if (const auto error = parseResponse(bytes.substr(0, end), limits_, to_head_, head)) {
    fail(error.status == 431 ? ResetCause::kTooLarge : ResetCause::kProtocolError, error.why);
    return bytes.size();
  }
  if (head.status == 101) {
    if (!to_upgrade_ || !namesWebSocket(head.headers)) {
      fail(ResetCause::kProtocolError,
           to_upgrade_ ? "101 to something other than a WebSocket" : "101 to a request without an upgrade");
      return bytes.size();
    }
    head.framing = Framing::kTunnel;
    phase_ = Phase::kTunnel;
    request_done_ = false;  // the sending half is open again
    handler_->onResponse();
    return end;
  }
  if (head.status < 200 && ++interims_ > kMaxInterims) {
    fail(ResetCause::kProtocolError, "too many interim responses");
    return bytes.size();
  }
  if (head.status < 200) {
    handler_->onResponse();
    return end;
  }
  keep_alive_ = head.keep_alive;
  phase_ = Phase::kBody;
  body_.start(head);
  const bool whole = body_.done();
  handler_->onResponse();
  if (whole && phase_ == Phase::kBody) {
    if (end < bytes.size()) keep_alive_ = false;
    endResponse();
    return bytes.size();
  }
  return end;
}

void H1Client::endResponse() {
  resumeBody();  // reading must be enabled for the next exchange
  phase_ = Phase::kDone;
  if (!request_done_) keep_alive_ = false;
  if (handler_ != nullptr) handler_->onEnd();
}

void H1Client::fail(ResetCause cause, std::string_view why) {
  if (phase_ == Phase::kBroken) return;
  phase_ = Phase::kBroken;
  keep_alive_ = false;
  wire_.abort();
  if (handler_ != nullptr) handler_->onReset(cause, why);
}

void H1Client::onPeerClosed(bool orderly, std::string_view why) {
  const auto lost = [&](const char* where) {
    fail(ResetCause::kPeerClosed, why.empty() ? std::string(where) : std::string(where) + ": " + std::string(why));
  };
  if (phase_ == Phase::kTunnel && orderly) {
    tunnel_ended_ = true;
    if (handler_ != nullptr) handler_->onEnd();
    return;
  }
  if (phase_ == Phase::kTunnel) return lost("the upstream dropped the connection");
  if (phase_ == Phase::kBody && body_.untilClose() && orderly) return endResponse();
  if (phase_ == Phase::kHead)
    return lost(received_any_ ? "the upstream closed inside the response head"
                              : "the upstream closed before it answered");
  if (phase_ == Phase::kBody) return lost("the upstream closed inside the response body");
  if (phase_ == Phase::kIdle || phase_ == Phase::kDone) {
    keep_alive_ = false;
    phase_ = Phase::kBroken;
    wire_.abort();
  }
}

void H1Client::onWritable() {
  if (handler_ != nullptr && !request_done_) handler_->onWritable();
}

void H1Client::sendRequest(const RequestHead& head, const HeaderMap& added) {
  to_head_ = head.method == "HEAD";
  to_upgrade_ = head.wants_websocket;
  sending_ = head.framing;
  std::string& out = headScratch();
  writeRequest(head, added, out);
  wire_.write(out);
}

void H1Client::sendBody(std::string_view data) {
  if (data.empty() || phase_ == Phase::kBroken) return;
  if (sending_ == Framing::kNone && phase_ != Phase::kTunnel)
    return;  // bytes outside any framing would be read as a new request
  if (sending_ != Framing::kChunked) return wire_.write(data);
  std::string head;
  writeChunkHead(data.size(), head);
  wire_.write(head);
  wire_.write(data);
  wire_.write("\r\n");
}

void H1Client::sendEnd(const HeaderMap& trailers) {
  if (phase_ == Phase::kBroken) return;
  if (sending_ == Framing::kChunked) {
    std::string out;
    writeLastChunk(trailers, out);
    wire_.write(out);
  }
  request_done_ = true;
  if (phase_ == Phase::kTunnel) wire_.finishWriting();
}

void H1Client::reset() {
  if (phase_ == Phase::kBroken) return;
  phase_ = Phase::kBroken;
  keep_alive_ = false;
  handler_ = nullptr;
  wire_.abort();
}

void H1Client::pauseBody() {
  if (paused_) return;
  paused_ = true;
  wire_.pauseReading();
}

void H1Client::resumeBody() {
  if (!paused_) return;
  paused_ = false;
  wire_.resumeReading();
}

}  // namespace yett::http
