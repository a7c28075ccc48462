// One HTTP/2 connection (RFC 9113), either side, over nghttp2: streams, flow control tied to the back-pressure of their
// handlers, and limits on what a peer may make it do. h2_server.h and h2_client.h say what streams mean.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/h2_block.h"
#include "http/h2_flood.h"
#include "http/h2_stream.h"
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

  /// Feeds nghttp2 with the bytes of a few requests or pieces of bodies, and says how many; all, where the connection
  /// is over.
  size_t receive(std::string_view bytes);
  /// Sends what nghttp2 has for the peer, as far as the connection takes it.
  void send();
  /// send(), at the end of the batch.
  void sendSoon();
  /// Ends the connection with GOAWAY; `code` is one of nghttp2_error_code.
  void terminate(uint32_t code, std::string_view why);
  /// Ends one stream at once.
  void resetStream(H2Stream& stream, uint32_t code);
  /// A stream that was never added is refused: what its peer has sent of it meanwhile is no flood.
  void refused();
  void addStream(std::unique_ptr<H2Stream> stream);
  /// The stream is over; its object lives until the batch is.
  void forget(int32_t id, uint32_t code);
  H2Stream* find(int32_t id);
  /// Forgets all streams of a connection that is gone, telling their handlers.
  void closeStreams(std::string_view why);
  size_t heldByStreams() const;
  bool inBlock() const { return in_block_; }
  void submitSettings(bool server, bool websockets);
  bool submitResponse(H2Stream& stream, const H2Fields& fields, bool body);
  void submitInterim(H2Stream& stream, const H2Fields& fields);
  /// The new stream's id, or an error below 0.
  int32_t submitRequest(const H2Fields& fields, bool body);

  /// A header block is complete in `block_`: of a new stream, or one of an old one; `category` is what nghttp2 calls
  /// it.
  virtual void onBlock(int32_t id, int category, bool ends) = 0;
  /// The stream is closed; `code` 0 where both halves have ended. Its object lives until the batch is over.
  virtual void onStreamClosed(H2Stream& stream, uint32_t code) = 0;
  /// The connection is gone or ends, and the stream with it. Its object lives until the batch is over.
  virtual void onConnectionLost(H2Stream& stream, std::string_view why) = 0;
  /// A HEADERS frame begins.
  virtual void onHeadersFrame(int32_t) {}
  /// About once a second while anything comes.
  virtual void onTick(int64_t) {}
  virtual void onPingAnswered() {}
  /// The peer has said, or changed, its settings. Within nghttp2.
  virtual void onSettings() {}
  /// Our half of the stream has gone out whole.
  virtual void onHalfSent(H2Stream&) {}
  /// The connection ends because the peer broke its rules.
  virtual void onBroken(std::string_view why) = 0;

  Wire& wire_;
  const Limits& limits_;
  nghttp2_session* session_ = nullptr;
  H2Block block_;
  H2Flood flood_;
  std::map<int32_t, std::unique_ptr<H2Stream>> streams_;
  size_t waiting_ = 0;  // bytes of all streams that wait to be sent
  const bool server_;
  bool in_library_ = false;
  bool leaving_ = false;  // told the peer, or by it: no new streams, and an end without fault
  bool gone_ = false;     // nothing is received any more

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
  std::unique_ptr<H2Stream> unlink(std::map<int32_t, std::unique_ptr<H2Stream>>::iterator at);

  std::vector<std::unique_ptr<H2Stream>> dead_;  // until nothing of theirs can be on the stack
  std::vector<int32_t> drained_;                 // writable again
  std::vector<int32_t> resumed_;
  std::string broken_;
  size_t skip_;             // bytes until the next frame's head
  std::string frame_head_;  // what has come of it
  uint64_t seen_ = 0;       // DATA and HEADERS frames
  uint64_t handled_ = 0;    // those that nghttp2 told of
  uint64_t ignored_ = 0;    // those that it did not
  int64_t ticked_ = 0;      // when onTick() was last called
  int64_t late_ = 0;        // of them, how many may have been on their way when their stream ended
  bool in_block_ = false;
  bool send_planned_ = false;
};

}  // namespace yett::http
