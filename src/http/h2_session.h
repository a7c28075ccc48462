// One HTTP/2 connection (RFC 9113), either side, over nghttp2: streams, flow control driven by the back-pressure of
// their handlers, and limits on the work that a peer can cause. h2_server.h and h2_client.h define what streams mean.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "http/h2_block.h"
#include "http/h2_flood.h"
#include "http/h2_stream.h"
#include "http/h2_streams.h"
#include "http/stream.h"
#include "http/wire.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace yett::http {

class H2Session {
 public:
  virtual ~H2Session();
  H2Session(const H2Session&) = delete;

 protected:
  friend class H2Stream;
  H2Session(Wire& wire, const Limits& limits, bool server);

  /// Feeds nghttp2 the bytes of a few requests or body pieces and returns how many; all of them if the connection is
  /// over.
  size_t receive(std::string_view bytes);
  /// Sends what nghttp2 has queued for the peer, as far as the connection accepts it.
  void send();
  /// send(), at the end of the batch.
  void sendSoon();
  /// Ends the connection with GOAWAY; `code` is one of nghttp2_error_code.
  void terminate(uint32_t code, std::string_view why);
  /// Resets one stream immediately.
  void resetStream(H2Stream& stream, uint32_t code);
  /// A stream that was never added was refused: frames already sent for it do not count as a flood.
  void refused();
  void addStream(std::unique_ptr<H2Stream> stream);
  /// Removes a finished stream; its object lives until the batch is over.
  void forget(int32_t id, uint32_t code);
  H2Stream* find(int32_t id) const { return streams_.find(id); }
  /// Removes all streams of a lost connection and notifies their handlers.
  void closeStreams(std::string_view why);
  size_t heldByStreams() const;
  bool inBlock() const { return in_block_; }
  void submitSettings(bool server, bool websockets);
  /// These send `fields_`.
  bool submitResponse(H2Stream& stream, bool body);
  void submitInterim(H2Stream& stream);
  /// The new stream's id, or an error below 0.
  int32_t submitRequest(bool body);

  /// `block_` holds a complete header block of a new or an existing stream; `category` is nghttp2's category.
  virtual void onBlock(int32_t id, int category, bool ends) = 0;
  /// The stream is closed; `code` is 0 if both halves have ended. Its object lives until the batch is over.
  virtual void onStreamClosed(H2Stream& stream, uint32_t code) = 0;
  /// The connection is gone or ends, and the stream with it. Its object lives until the batch is over.
  virtual void onConnectionLost(H2Stream& stream, std::string_view why) = 0;
  /// A HEADERS frame begins.
  virtual void onHeadersFrame(int32_t) {}
  /// Called about once a second while data arrives.
  virtual void onTick(int64_t) {}
  virtual void onPingAnswered() {}
  /// The peer has sent or changed its settings. Called inside nghttp2.
  virtual void onSettings() {}
  /// Our half of the stream is completely sent.
  virtual void onHalfSent(H2Stream&) {}
  /// The connection ends because the peer violated the protocol.
  virtual void onBroken(std::string_view why) = 0;

  Wire& wire_;
  const Limits& limits_;
  nghttp2_session* session_ = nullptr;
  H2Block block_;
  H2Fields fields_;  // being sent
  H2Flood flood_;
  H2Streams streams_;
  size_t waiting_ = 0;  // bytes queued for sending on all streams
  const bool server_;
  bool in_library_ = false;
  bool leaving_ = false;  // GOAWAY sent or received: no new streams, and a close is no error
  bool gone_ = false;     // nothing more is received

 private:
  friend struct H2Callbacks;  // what nghttp2 calls
  static nghttp2_session_callbacks* callbacks();
  void deliver(H2Stream& stream, std::string_view data);
  void take(H2Stream& stream, std::string_view data);
  void endOfInput(H2Stream& stream);
  void pump();
  void runResumed();
  void charge(H2Flood::Kind kind);
  void chargeEnd(const H2Stream& stream, uint32_t code);
  void letComeLate();
  size_t countFrames(std::string_view bytes);
  void bury();
  std::unique_ptr<H2Stream> unlink(int32_t id);

  std::vector<std::unique_ptr<H2Stream>> dead_;  // until none of their calls can be on the stack
  std::vector<int32_t> drained_;                 // writable again
  std::vector<int32_t> resumed_;
  std::string broken_;
  size_t skip_;             // bytes until the next frame header
  std::string frame_head_;  // its bytes so far
  uint64_t seen_ = 0;       // DATA and HEADERS frames
  uint64_t handled_ = 0;    // of them, reported by nghttp2
  uint64_t ignored_ = 0;    // of them, not reported
  int64_t ticked_ = 0;      // when onTick() was last called
  int64_t late_ = 0;        // how many more may have been in transit when their stream ended
  bool in_block_ = false;
  bool send_planned_ = false;
};

}  // namespace yett::http
