// The server side of one HTTP/2 connection: each stream is a request of its own.
#pragma once

#include "base/held.h"
#include "http/h2_session.h"
#include "http/server_codec.h"

namespace yett::http {

class H2Server final : public ServerCodec, private H2Session {
 public:
  /// `websockets`: callers may open them (RFC 8441). REQUIRES: all three outlive the codec.
  H2Server(Wire& wire, ServerEvents& events, const Limits& limits, bool websockets);
  ~H2Server() override;

  size_t onBytes(std::string_view bytes) override;
  void onPeerClosed() override;
  void onClosed() override;
  void onWritable() override;
  void onBatchEnd() override { send(); }
  void onTimeout() override;
  void drain() override;
  Waiting waiting() const override;
  size_t heldBytes() const override { return heldByStreams() + held_heads_.bytes(); }

 private:
  class Incoming;
  void finishDrain();
  bool headsHaveRoom() const;
  void countHead(Incoming& stream, size_t size);
  void refuseStream(int32_t id);
  void resetStalled(int64_t now);
  void onBlock(int32_t id, int category, bool ends) override;
  void onStreamClosed(H2Stream& stream, uint32_t code) override;
  void onConnectionLost(H2Stream& stream, std::string_view why) override;
  void onHeadersFrame(int32_t id) override;
  void onTick(int64_t now) override;
  void onPingAnswered() override;
  void onHalfSent(H2Stream& stream) override;
  void onBroken(std::string_view why) override { events_.onConnectionError(why); }

  ServerEvents& events_;
  size_t heads_ = 0;  // bytes of the heads of all streams, trailers included
  base::Held held_heads_;
  int32_t last_id_ = -1;
  std::vector<std::pair<int32_t, int32_t>> skipped_;  // first and last id of each gap
  enum class Drain { kNo, kNoticed, kFinal } drain_ = Drain::kNo;
  int64_t drain_since_ = 0;
  int64_t wire_full_since_ = 0;  // 0: not full
};

}  // namespace yett::http
