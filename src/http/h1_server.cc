#include "http/h1_server.h"

#include <algorithm>

#include "base/check.h"
#include "http/h1_write.h"

namespace yett::http {

size_t H1Server::onBytes(std::string_view bytes) {
  YETT_CHECK((handler_ == nullptr) == (phase_ == Phase::kHead || phase_ == Phase::kClosed));
  size_t used = 0;
  Turn turn(wire_.turnNanos());
  for (;;) {
    const Phase before = phase_;
    size_t n = 0;
    switch (phase_) {
      case Phase::kHead:
        if (used > 0 && used < bytes.size() && turn.over() && wire_.yield()) return used;
        if (!writable()) {  // a client that sends requests but does not read has to wait
          if (used < bytes.size()) wire_.pauseReading();
          return used;
        }
        n = readHead(bytes.substr(used));
        break;
      case Phase::kBody:
      case Phase::kDiscard: {
        bool over = false;
        n = readBody(bytes.substr(used), turn, over);
        if (over && used + n < bytes.size() && wire_.yield()) return used + n;
        break;
      }
      case Phase::kWait:
        if (used < bytes.size()) wire_.pauseReading();
        return used;
      case Phase::kTunnel:
        if (body_paused_) return used;
        if (used < bytes.size()) handler_->onBody(bytes.substr(used));
        return bytes.size();
      case Phase::kClosed: return bytes.size();
    }
    used += n;
    if (used == bytes.size() && (phase_ != Phase::kBody || !body_.done())) return used;
    if (n == 0 && phase_ == before) return used;
  }
}

size_t H1Server::readHead(std::string_view bytes) {
  size_t skipped = 0;
  // RFC 9112 2.2: empty lines before a request are ignored; common clients sent one after a body.
  while (bytes.substr(skipped).starts_with("\r\n")) skipped += 2;
  const auto head = bytes.substr(skipped);
  bool bare_lf = false;
  const size_t end = findHeadEnd(head, head_seen_ > 3 ? head_seen_ - 3 : 0, bare_lf);
  if (end == 0) {
    if (bare_lf) refuse(400, "a line that does not end with CRLF");
    else if (head.size() > limits_.head_bytes)
      refuse(head.find('\n') >= limits_.head_bytes ? 414 : 431, "a head over the limit");
    else head_seen_ = head.size();
    return phase_ == Phase::kClosed ? bytes.size() : skipped;
  }
  head_seen_ = 0;
  handler_ = &events_.onStream(*this);
  response_done_ = head_sent_ = body_paused_ = continued_ = false;
  RequestHead& request = handler_->requestHead();
  request.clear();
  if (const auto error = parseRequest(head.substr(0, end), limits_, request)) {
    phase_ = Phase::kWait;
    closing_ = true;
    handler_->onBadRequest(error.status, error.why);
    return bytes.size();
  }
  if (!request.keep_alive) closing_ = true;
  body_.start(request);
  phase_ = Phase::kBody;
  handler_->onRequest();
  if (phase_ == Phase::kBody && body_.done()) requestEnded();
  else if (phase_ == Phase::kDiscard && body_.done()) requestEnded();
  return skipped + end;
}

size_t H1Server::readBody(std::string_view bytes, Turn& turn, bool& over) {
  constexpr int kPieces = 64;  // between two checks of the clock
  std::string_view rest = bytes;
  int pieces = 0;
  while (phase_ == Phase::kDiscard || (phase_ == Phase::kBody && !body_paused_)) {
    std::string_view data;
    switch (body_.next(rest, limits_, handler_->requestHead(), data)) {
      case H1BodyReader::State::kMore: return bytes.size() - rest.size();
      case H1BodyReader::State::kData:
        if (phase_ == Phase::kBody) handler_->onBody(data);
        if (!body_.done()) {
          if (++pieces % kPieces != 0 || !turn.over()) break;
          over = true;
          return bytes.size() - rest.size();
        }
        [[fallthrough]];
      case H1BodyReader::State::kDone: requestEnded(); return bytes.size() - rest.size();
      case H1BodyReader::State::kBad: {
        const bool told = phase_ == Phase::kBody;
        closing_ = true;
        phase_ = Phase::kWait;
        const auto& error = body_.error();
        if (told)
          handler_->onReset(error.status == 413 ? ResetCause::kTooLarge : ResetCause::kProtocolError, error.why);
        else if (response_done_) endExchange();
        return bytes.size();
      }
    }
  }
  return bytes.size() - rest.size();
}

void H1Server::refuse(int status, const char* why) {
  handler_ = &events_.onStream(*this);
  handler_->requestHead().clear();
  response_done_ = head_sent_ = false;
  closing_ = true;
  phase_ = Phase::kWait;
  head_seen_ = 0;
  handler_->onBadRequest(status, why);
}

void H1Server::requestEnded() {
  const bool told = phase_ == Phase::kBody;
  if (phase_ == Phase::kClosed || phase_ == Phase::kHead) return;
  phase_ = Phase::kWait;
  if (told && !response_done_) handler_->onEnd();
  if (response_done_ && phase_ == Phase::kWait) endExchange();
}

void H1Server::endExchange() {
  RequestHandler& handler = *handler_;
  handler_ = nullptr;
  if (closing_ || peer_closed_) {
    phase_ = Phase::kClosed;
    wire_.finish();
  } else {
    phase_ = Phase::kHead;
    wire_.resumeReading();
  }
  events_.onStreamEnd(handler);
}

void H1Server::close(bool orderly) {
  if (phase_ == Phase::kClosed) return;
  RequestHandler* handler = handler_;
  handler_ = nullptr;
  phase_ = Phase::kClosed;
  if (orderly) wire_.finish();
  else wire_.abort();
  if (handler != nullptr) events_.onStreamEnd(*handler);
}

void H1Server::onPeerClosed() {
  peer_closed_ = true;
  if (phase_ == Phase::kHead) {
    phase_ = Phase::kClosed;
    wire_.finish();
  } else if (phase_ == Phase::kBody) {
    handler_->onReset(ResetCause::kPeerClosed, "the client closed before its request was complete");
    close(false);
  } else if (phase_ == Phase::kDiscard) {
    phase_ = Phase::kWait;
    closing_ = true;
    if (response_done_) endExchange();
  } else if (phase_ == Phase::kTunnel) {
    onBatchEnd();
  }
}

// Reports the client's end of a tunnel, which may have arrived before the tunnel existed.
void H1Server::onBatchEnd() {
  if (phase_ != Phase::kTunnel || !peer_closed_ || end_told_) return;
  end_told_ = true;
  handler_->onEnd();
  if (phase_ == Phase::kTunnel && response_done_) endExchange();
}

void H1Server::onClosed() {
  if (phase_ == Phase::kClosed) return;
  RequestHandler* handler = handler_;
  const bool tunnel = phase_ == Phase::kTunnel;
  handler_ = nullptr;
  phase_ = Phase::kClosed;
  if (handler == nullptr) return;
  if (!response_done_ || (tunnel && !end_told_))
    handler->onReset(ResetCause::kPeerClosed, "the client closed before the response was complete");
  events_.onStreamEnd(*handler);
}

Waiting H1Server::waiting() const {
  if (phase_ == Phase::kHead) return idle() ? Waiting::kRequest : Waiting::kHead;
  return phase_ == Phase::kDiscard ? Waiting::kDiscard : Waiting::kExchange;
}

void H1Server::onTimeout() {
  if (phase_ == Phase::kHead) {
    if (idle()) {
      phase_ = Phase::kClosed;
      wire_.finish();
    } else {
      refuse(408, "the request head took too long");
    }
  } else if (phase_ == Phase::kBody) {
    closing_ = true;
    phase_ = Phase::kWait;
    handler_->onReset(ResetCause::kTimeout, "the request body took too long");
  } else if (phase_ == Phase::kDiscard) {
    close(true);
  }
}

void H1Server::drain() {
  closing_ = true;
  if (idle()) {
    phase_ = Phase::kClosed;
    wire_.finish();
  }
}

void H1Server::onWritable() {
  if (phase_ == Phase::kHead) wire_.resumeReading();
  if (handler_ != nullptr && !response_done_) handler_->onWritable();
}

void H1Server::sendInterim(const ResponseHead& head) {
  if (handler_ == nullptr || head_sent_ || handler_->requestHead().version == Version::kHttp10) return;
  std::string out;
  writeResponse(head, {}, Framing::kNone, false, Version::kHttp11, out);
  wire_.write(out);
  continued_ = continued_ || head.status == 100;
}

void H1Server::sendResponse(const ResponseHead& head, const HeaderMap& added) {
  if (handler_ == nullptr || head_sent_) return;
  const RequestHead& request = handler_->requestHead();
  const bool no_body = request.method == "HEAD" || head.status == 204 || head.status == 304;
  sending_ = no_body ? Framing::kNone : head.framing;
  if (!no_body && head.framing == Framing::kNone) {
    sending_ = Framing::kLength;
    to_send_ = 0;
  } else if (sending_ == Framing::kLength) {
    to_send_ = head.content_length;
  } else if (sending_ == Framing::kChunked || sending_ == Framing::kUntilClose) {
    sending_ = request.version == Version::kHttp10 ? Framing::kUntilClose : Framing::kChunked;
  }
  if (sending_ == Framing::kUntilClose) closing_ = true;
  // A client that waits for 100 Continue may or may not still send its body, so the bytes that follow are ambiguous.
  if (request.expects_continue && !continued_ && phase_ == Phase::kBody && body_.received() == 0 && !body_.done())
    closing_ = true;
  head_sent_ = true;
  std::string& out = headScratch();
  writeResponse(head, added, sending_, closing_ || peer_closed_, request.version, out);
  wire_.write(out);
  if (sending_ != Framing::kTunnel) return;
  phase_ = Phase::kTunnel;  // from the next byte on; bytes that the client sent early were held back
  closing_ = true;
  wire_.resumeReading();
  if (peer_closed_) wire_.callAtBatchEnd();
}

void H1Server::sendBody(std::string_view data) {
  if (handler_ == nullptr || data.empty() || response_done_) return;
  switch (sending_) {
    case Framing::kNone: return;
    case Framing::kLength:
      data = data.substr(0, std::min<uint64_t>(data.size(), to_send_));
      to_send_ -= data.size();
      wire_.write(data);
      return;
    case Framing::kTunnel:
    case Framing::kUntilClose: wire_.write(data); return;
    case Framing::kChunked: {
      std::string head;
      writeChunkHead(data.size(), head);
      wire_.write(head);
      wire_.write(data);
      wire_.write("\r\n");
    }
  }
}

void H1Server::sendEnd(const HeaderMap& trailers) {
  if (handler_ == nullptr || response_done_) return;
  if (sending_ == Framing::kLength && to_send_ > 0) return reset();
  if (sending_ == Framing::kChunked) {
    std::string out;
    writeLastChunk(trailers, out);
    wire_.write(out);
  }
  response_done_ = true;
  if (phase_ == Phase::kTunnel) {
    if (end_told_) endExchange();
    else wire_.finishWriting();
  } else if (phase_ == Phase::kWait) {
    endExchange();
  } else if (phase_ == Phase::kBody && !body_.done()) {
    // The answer came before the request was complete, and nobody reads the rest.
    close(true);
  }
}

void H1Server::reset() {
  close(false);
}

void H1Server::pauseBody() {
  if (body_paused_ || (phase_ != Phase::kBody && phase_ != Phase::kTunnel)) return;
  body_paused_ = true;
  wire_.pauseReading();
}

void H1Server::resumeBody() {
  if (!body_paused_) return;
  body_paused_ = false;
  wire_.resumeReading();
}

void H1Server::discardBody() {
  if (phase_ == Phase::kTunnel) {
    end_told_ = true;
    if (response_done_) endExchange();
    return;
  }
  if (phase_ != Phase::kBody || body_.done()) return;
  if (handler_->requestHead().expects_continue || body_.remaining() > limits_.discard_bytes) closing_ = true;
  phase_ = Phase::kDiscard;
  if (body_paused_) {
    body_paused_ = false;
    wire_.resumeReading();
  }
  if (closing_) phase_ = Phase::kWait;
}

}  // namespace yett::http
