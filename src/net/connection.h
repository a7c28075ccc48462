// One connected socket on one loop. It reads into the loop's scratch buffer and writes through a buffer that exists
// only while it holds something. Owned by the receiver of its events, on the loop's thread.
#pragma once

#include <Poco/Net/StreamSocket.h>
#include <netinet/in.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/held.h"
#include "base/result.h"
#include "identity/principal.h"
#include "net/event_loop.h"
#include "net/transport.h"

namespace yett::net {

class ConnectionEvents {
 public:
  virtual ~ConnectionEvents() = default;
  /// The handshake is incomplete and holds memory while it waits. Called each time it pauses. The connection may be
  /// closed here.
  virtual void onHandshake(HandshakeStage) {}
  /// The socket is connected and the handshake is done.
  virtual void onOpen() = 0;
  /// Consumes bytes from the front and returns how many. The rest is offered again, followed by new bytes.
  virtual size_t onData(std::string_view bytes) = 0;
  /// The peer will send no more; everything it sent has been offered.
  virtual void onEof() = 0;
  /// The write buffer has drained below the mark.
  virtual void onDrained() = 0;
  /// The time set by setTimeout() is over.
  virtual void onTimeout() = 0;
  /// The last call: the connection is closed, by either side. `why` is "" for an orderly close and for abort() without
  /// a reason. Here the connection may be passed to destroyLater(), but not destroyed.
  virtual void onClosed(std::string_view why) = 0;
};

class Connection final : public EventHandler, public Destroyable {
 public:
  /// For an accepted socket. REQUIRES: non-blocking.
  Connection(EventLoop& loop, const Poco::Net::StreamSocket& socket, std::unique_ptr<Transport> transport,
             ConnectionEvents& events);
  ~Connection() override;

  /// Registers with the loop and starts. `connecting`: the socket's connect() is in progress.
  void start(bool connecting);
  /// Buffers, and sends after the current batch of events, so that related pieces are sent together. Large pieces may
  /// be sent immediately.
  void write(std::string_view bytes);
  size_t buffered() const { return out_.size() - out_at_; }
  void pauseReading();
  void resumeReading();
  /// Offers the bytes that onData() left again after others had their turn, or after `delay`. Nothing is read until
  /// then.
  void yield(base::Millis delay = {});
  /// Stops reading while this many bytes are offered but not consumed.
  void limitOffered(size_t bytes) { most_in_ = bytes; }
  /// The next read takes at most this many bytes. Used until it is known that more is wanted.
  void limitNextRead(size_t bytes) { next_read_ = bytes; }
  /// Bytes buffered in both directions.
  size_t heldBytes() const { return held_.bytes(); }
  /// When bytes were last sent (the loop's clock); meaningful only while buffered() is not 0.
  int64_t lastSent() const { return last_sent_; }
  /// A failed write does not close the connection while there may be something to read: the peer's response to what it
  /// did receive.
  void readOnAfterFailedWrite() { reads_on_ = true; }
  /// Sends the rest, then shuts down the write side; reading continues.
  void finishWriting();
  /// Sends the rest, then closes gracefully: further input is read and discarded while the peer makes progress, for at
  /// most 30 s or limitLinger(), so that the peer can read the response.
  void finish();
  void limitLinger(base::Millis longest, uint64_t bytes = UINT64_MAX);
  /// Closes immediately with a reset.
  void abort(std::string_view why = {});
  /// Calls onTimeout() after `limit`. There is one timeout; setting it again replaces it.
  void setTimeout(base::Millis limit) { loop_.schedule(timer_, limit); }
  void clearTimeout() { timer_.cancel(); }

  bool open() const { return state_ == State::kOpen; }
  bool closed() const { return state_ == State::kClosed; }
  EventLoop& loop() { return loop_; }
  const Transport& transport() const { return *transport_; }
  /// The addresses of both ends when the connection was created; AF_UNSPEC if there is none.
  const sockaddr* peer() const { return reinterpret_cast<const sockaddr*>(&peer_); }
  const sockaddr* local() const { return reinterpret_cast<const sockaddr*>(&local_); }
  /// REQUIRES: the handshake is done.
  const std::shared_ptr<const identity::Principal>& principal() const { return transport_->principal(); }

  void onEvents(uint32_t events) override;
  void onFault(const char* what) override { abort(what); }

 private:
  //   state          meaning                                   next state
  //   kNew           not started                               kConnecting, kHandshaking (start)
  //   kConnecting    the socket is connecting                  kHandshaking, kClosed
  //   kHandshaking   the transport handshake is running        kOpen, kClosed
  //   kOpen          bytes flow both ways                      kFinishing (finish), kClosed
  //   kFinishing     sending the buffer, reading nothing       kLingering, kClosed
  //   kLingering     reading and discarding input              kClosed
  //   kClosed        onClosed() was called                     -
  enum class State { kNew, kConnecting, kHandshaking, kOpen, kFinishing, kLingering, kClosed };
  void doHandshake();
  void doRead();
  void giveBack(std::string& buffer);
  void count() { held_.set(in_.size() + buffered()); }
  void deliver(std::string_view bytes);
  void goOnReading();
  bool mayRead() const;
  void tellEof();
  base::Millis lingerLeft() const;
  void onWriteError();
  void flush();
  void wantFlush();
  void updateInterest();
  void onTimer();
  void close(std::string_view why, bool reset);
  void linger();
  void endWriting();

  EventLoop& loop_;
  Poco::Net::StreamSocket socket_;
  const int fd_;
  std::unique_ptr<Transport> transport_;
  ConnectionEvents& events_;
  Timer timer_;
  Timer turn_;           // continues reading in the next batch, or the handshake when there is time
  sockaddr_in6 peer_{};  // large enough for both families
  sockaddr_in6 local_{};
  std::string in_;   // offered but not consumed yet
  std::string out_;  // unsent from out_at_ on
  size_t out_at_ = 0;
  base::Held held_;  // both
  size_t most_in_ = size_t{2} << 20;
  size_t next_read_ = 0;  // 0: as much as fits the scratch memory
  int64_t last_sent_ = 0;
  base::Millis longest_linger_{30'000};
  uint64_t linger_bytes_ = UINT64_MAX;  // maximum to discard while lingering
  uint64_t lingered_ = 0;               // discarded so far
  int64_t linger_since_ = 0;            // the loop's clock
  uint32_t interest_ = 0;
  State state_ = State::kNew;
  bool registered_ = false;
  bool plain_ = false;
  base::Millis wait_{0};  // backoff of a handshake that may not start yet
  bool later_ = false;    // turn_ waits to retry the handshake
  bool reads_on_ = false;
  bool write_failed_ = false;
  bool paused_ = false;
  bool yielding_ = false;
  bool eof_ = false;
  bool eof_told_ = false;
  bool flush_planned_ = false;
  bool blocked_ = false;  // writing would block: wait for EPOLLOUT
  bool delivering_ = false;
  bool was_full_ = false;
  bool write_ends_ = false;  // end writing once the buffer is empty
  bool write_ended_ = false;
};

}  // namespace yett::net
