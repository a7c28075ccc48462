// The client side of one HTTP/2 connection to an upstream (RFC 9113 3.2 and 3.3): many exchanges at once.
#pragma once

#include "http/client_codec.h"
#include "http/h2_session.h"

namespace yett::http {

class H2Client final : public ClientCodec, private H2Session {
 public:
  /// `scheme`: a literal. REQUIRES: the others outlive the codec.
  H2Client(Wire& wire, const Limits& limits, std::string_view scheme = "http");
  ~H2Client() override;

  size_t onBytes(std::string_view bytes) override;
  void onPeerClosed(bool orderly, std::string_view why) override;
  void onWritable() override { send(); }
  void onBatchEnd() override;
  size_t room() const override;
  ClientStream& open(ResponseHandler& handler) override;
  void close(ClientStream& stream) override;
  void leave() override { leaving_ = true; }
  void probe(bool keeps_alive) override;
  int64_t heardAt() const override { return heard_at_; }
  bool probing() const override { return probing_; }
  bool ready() const override { return settings_seen_; }
  bool idle() const override { return streams_.empty() && unsent_.empty(); }
  bool spent() const override { return gone_ || leaving_; }

 private:
  class Outgoing;
  void onSettings() override { settings_seen_ = true; }
  void onPingAnswered() override { probing_ = false; }
  void onMessage() { probes_ = 0; }
  void sendHeldBack();
  bool takesConnect() const;
  size_t largestHead() const;
  std::unique_ptr<Outgoing> dropUnsent(const Outgoing& stream);
  std::unique_ptr<Outgoing> takeUnsent(const Outgoing& stream);
  void failUnsent();
  void onBlock(int32_t id, int category, bool ends) override;
  void onStreamClosed(H2Stream& stream, uint32_t code) override;
  void onConnectionLost(H2Stream& stream, std::string_view why) override;
  void onBroken(std::string_view) override { leaving_ = true; }

  const std::string_view scheme_;
  bool settings_seen_ = false;
  bool probing_ = false;
  int probes_ = 0;                                 // since the service last sent HEADERS or DATA
  int64_t heard_at_ = 0;                           // when bytes last arrived
  std::vector<std::unique_ptr<Outgoing>> unsent_;  // opened, but the request is not sent yet
};

}  // namespace yett::http
