// The client side of one HTTP/1.1 connection to an upstream: one exchange at a time, as strict about responses as the
// server side is about requests.
#pragma once

#include "http/h1_body.h"
#include "http/stream.h"
#include "http/wire.h"

namespace yett::http {

class H1Client final : public ClientStream {
 public:
  H1Client(Wire& wire, const Limits& limits) : wire_(wire), limits_(limits) {}

  /// Begins an exchange. REQUIRES: idle().
  void start(ResponseHandler& handler);
  /// The handler is no longer there; what follows goes nowhere.
  void detach() { handler_ = nullptr; }

  size_t onBytes(std::string_view bytes);
  /// `orderly`: by an end of input, not by an error; only that may end a body without a length.
  void onPeerClosed(bool orderly);
  void onWritable();

  bool idle() const { return phase_ == Phase::kIdle; }
  /// Both halves are over and the connection may serve another exchange.
  bool reusable() const { return phase_ == Phase::kDone && request_done_ && keep_alive_; }
  /// Both halves are over, or it broke.
  bool finished() const { return phase_ == Phase::kBroken || (phase_ == Phase::kDone && request_done_); }
  bool responseBegun() const { return received_any_; }
  void makeIdle() { phase_ = Phase::kIdle; }

  void sendRequest(const RequestHead& head, const HeaderMap& added) override;
  void sendBody(std::string_view data) override;
  void sendEnd(const HeaderMap& trailers) override;
  void reset() override;
  bool writable() const override { return wire_.buffered() < kWriteMark; }
  void pauseBody() override;
  void resumeBody() override;

 private:
  enum class Phase { kIdle, kHead, kBody, kDone, kBroken };
  size_t readHead(std::string_view bytes);
  void fail(ResetCause cause, std::string_view why);
  void endResponse();

  Wire& wire_;
  const Limits& limits_;
  ResponseHandler* handler_ = nullptr;
  Phase phase_ = Phase::kIdle;
  H1BodyReader body_;
  size_t head_seen_ = 0;
  int interims_ = 0;
  Framing sending_ = Framing::kNone;
  bool to_head_ = false;
  bool request_done_ = false;
  bool received_any_ = false;
  bool keep_alive_ = false;
  bool paused_ = false;
};

}  // namespace yett::http
