// The client side of one HTTP/1.1 connection to an upstream: one exchange at a time, as strict about responses as the
// server side is about requests.
#pragma once

#include "http/client_codec.h"
#include "http/h1_body.h"
#include "http/wire.h"

namespace yett::http {

class H1Client final : public ClientCodec, public ClientStream {
 public:
  H1Client(Wire& wire, const Limits& limits) : wire_(wire), limits_(limits) {}

  size_t onBytes(std::string_view bytes) override;
  void onPeerClosed(bool orderly, std::string_view why) override;
  void onWritable() override;
  size_t room() const override { return idle() ? 1 : 0; }
  ClientStream& open(ResponseHandler& handler) override;
  void close(ClientStream& stream) override;
  void leave() override { leaving_ = true; }
  bool idle() const override { return phase_ == Phase::kIdle; }
  bool spent() const override { return !idle(); }

  bool responseBegun() const override { return received_any_; }
  void sendRequest(const RequestHead& head, const HeaderMap& added) override;
  void sendBody(std::string_view data) override;
  void sendEnd(const HeaderMap& trailers) override;
  void reset() override;
  bool writable() override { return wire_.buffered() < kWriteMark; }
  void pauseBody() override;
  void resumeBody() override;

 private:
  enum class Phase { kIdle, kHead, kBody, kDone, kTunnel, kBroken };
  size_t readHead(std::string_view bytes);
  void fail(ResetCause cause, std::string_view why);
  void endResponse();

  Wire& wire_;
  const Limits& limits_;
  ResponseHandler* handler_ = nullptr;
  Phase phase_ = Phase::kIdle;
  H1BodyReader body_{true};
  size_t head_seen_ = 0;
  int interims_ = 0;
  Framing sending_ = Framing::kNone;
  bool to_head_ = false;
  bool to_upgrade_ = false;
  bool request_done_ = false;
  bool received_any_ = false;
  bool keep_alive_ = false;
  bool leaving_ = false;  // not reusable, whatever the service says
  bool paused_ = false;
  bool tunnel_ended_ = false;  // by the upstream
};

}  // namespace yett::http
