// The server side of one HTTP/1.1 connection: turns bytes into requests, one at a time, and responses into bytes.
// Pipelined requests wait in the connection until the previous response has been sent (RFC 9112 9.3.2).
#pragma once

#include "http/h1_body.h"
#include "http/server_codec.h"
#include "http/turn.h"
#include "http/wire.h"

namespace yett::http {

class H1Server final : public ServerCodec, public ServerStream {
 public:
  /// REQUIRES: all three outlive the codec.
  H1Server(Wire& wire, ServerEvents& events, const Limits& limits) : wire_(wire), events_(events), limits_(limits) {}

  size_t onBytes(std::string_view bytes) override;
  /// A complete request is still answered.
  void onPeerClosed() override;
  void onClosed() override;
  void onWritable() override;
  void onTimeout() override;
  void onBatchEnd() override;
  void drain() override;
  Waiting waiting() const override;

  void sendInterim(const ResponseHead& head) override;
  void sendResponse(const ResponseHead& head, const HeaderMap& added) override;
  void sendBody(std::string_view data) override;
  void sendEnd(const HeaderMap& trailers) override;
  void reset() override;
  bool writable() override { return wire_.buffered() < kWriteMark; }
  void pauseBody() override;
  void resumeBody() override;
  void discardBody() override;

 private:
  //   phase      handler_     meaning                                  next phase
  //   kHead      null         waiting for the next request's head      kBody, kWait (refused), kClosed
  //   kBody      set          passing the body to the handler          kWait (it ended), kDiscard, kTunnel, kClosed
  //   kDiscard   set          reading and discarding the body          kWait, kClosed
  //   kWait      set          request complete, response is not        kHead, kTunnel, kClosed
  //   kTunnel    set          bytes flow both ways                     kClosed
  //   kClosed    null         the codec receives and sends nothing     -
  // Only endExchange(), close() and onClosed() clear handler_.
  enum class Phase { kHead, kBody, kDiscard, kWait, kTunnel, kClosed };
  /// No exchange, and no byte of the next request.
  bool idle() const { return phase_ == Phase::kHead && head_seen_ == 0; }
  size_t readHead(std::string_view bytes);
  /// `over`: the turn ended before all bytes were read.
  size_t readBody(std::string_view bytes, Turn& turn, bool& over);
  void refuse(int status, const char* why);
  void requestEnded();
  void endExchange();
  void close(bool orderly);

  Wire& wire_;
  ServerEvents& events_;
  const Limits& limits_;
  Phase phase_ = Phase::kHead;
  RequestHandler* handler_ = nullptr;
  H1BodyReader body_{false};
  size_t head_seen_ = 0;  // bytes of the head that were searched for its end
  uint64_t to_send_ = 0;  // bytes left of a response with a length
  Framing sending_ = Framing::kNone;
  bool head_sent_ = false;
  bool continued_ = false;  // 100 Continue was sent
  bool response_done_ = false;
  bool body_paused_ = false;
  bool closing_ = false;
  bool peer_closed_ = false;
  bool end_told_ = false;  // of a tunnel: the handler knows the client sends no more
};

}  // namespace yett::http
