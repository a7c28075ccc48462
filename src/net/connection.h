// One connected socket on one loop: reads into the loop's scratch memory, writes through a buffer that exists only
// while there is something in it. Owned by whoever listens to its events, on its loop's thread.
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
  /// A handshake goes on later: from here on it costs memory. Told again and again. The connection may be closed here.
  virtual void onHandshake(HandshakeStage) {}
  /// Connected, and the handshake is done.
  virtual void onOpen() = 0;
  /// Takes bytes off the front and says how many; the rest comes again, with more behind it.
  virtual size_t onData(std::string_view bytes) = 0;
  /// The peer sends no more; all it sent has been offered.
  virtual void onEof() = 0;
  /// What was written has gone below the mark.
  virtual void onDrained() = 0;
  /// The time set by setTimeout() is over.
  virtual void onTimeout() = 0;
  /// The connection is closed, by whomever: the last call. `why` is "" for an orderly end, and for one
  /// that was asked for without a reason. The connection may be given
  /// to destroyLater() here, not destroyed.
  virtual void onClosed(std::string_view why) = 0;
};

class Connection final : public EventHandler, public Destroyable {
 public:
  /// For an accepted socket. REQUIRES: non-blocking.
  Connection(EventLoop& loop, const Poco::Net::StreamSocket& socket, std::unique_ptr<Transport> transport,
             ConnectionEvents& events);
  ~Connection() override;

  /// Begins: registers with the loop. `connecting`: the socket's connect() is under way.
  void start(bool connecting);
  /// Buffers and sends once the batch of events is over, so that what belongs together leaves together; large pieces
  /// may leave at once.
  void write(std::string_view bytes);
  size_t buffered() const { return out_.size() - out_at_; }
  void pauseReading();
  void resumeReading();
  /// Bytes that onData() left are offered again when others had their turn, or after the delay; until then nothing is
  /// read.
  void yield(base::Millis delay = {});
  /// Nothing more is read while so many bytes are offered and not taken.
  void limitOffered(size_t bytes) { most_in_ = bytes; }
  /// The next read takes so many bytes at the most: until it is known that somebody wants more.
  void limitNextRead(size_t bytes) { next_read_ = bytes; }
  /// Bytes in memory for either side.
  size_t heldBytes() const { return held_.bytes(); }
  /// When the peer last took something (the loop's clock); meaningful while buffered() is not 0.
  int64_t lastSent() const { return last_sent_; }
  /// A failed write does not end the connection while there may be something to read: the peer's answer to what it did
  /// get.
  void readOnAfterFailedWrite() { reads_on_ = true; }
  /// Sends the rest, then tells the peer that no more comes; reading goes on.
  void finishWriting();
  /// Sends the rest, then closes in order: what the peer still sends is read and thrown away while it makes progress,
  /// for 30 s or limitLinger() at the most, so that it gets to read the answer.
  void finish();
  void limitLinger(base::Millis longest, uint64_t bytes = UINT64_MAX);
  /// Closes at once with a reset.
  void abort(std::string_view why = {});
  /// One time limit, at whose end onTimeout() is called. Setting it again moves it.
  void setTimeout(base::Millis limit) { loop_.schedule(timer_, limit); }
  void clearTimeout() { timer_.cancel(); }

  bool open() const { return state_ == State::kOpen; }
  bool closed() const { return state_ == State::kClosed; }
  EventLoop& loop() { return loop_; }
  const Transport& transport() const { return *transport_; }
  /// The addresses of both ends, as of when the connection was made; AF_UNSPEC where there is none.
  const sockaddr* peer() const { return reinterpret_cast<const sockaddr*>(&peer_); }
  const sockaddr* local() const { return reinterpret_cast<const sockaddr*>(&local_); }
  /// REQUIRES: the handshake is done.
  const std::shared_ptr<const identity::Principal>& principal() const { return transport_->principal(); }

  void onEvents(uint32_t events) override;
  void onFault(const char* what) override { abort(what); }

 private:
  //   state          what goes on                              goes to
  //   kNew           nothing yet                               kConnecting, kHandshaking (start)
  //   kConnecting    the socket connects                       kHandshaking, kClosed
  //   kHandshaking   the transport agrees with its peer        kOpen, kClosed
  //   kOpen          bytes both ways                           kFinishing (finish), kClosed
  //   kFinishing     what is buffered goes out, nothing in     kLingering, kClosed
  //   kLingering     what still comes is thrown away           kClosed
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
  Timer turn_;           // reading goes on in the next batch, or the handshake when there is time
  sockaddr_in6 peer_{};  // large enough for both families
  sockaddr_in6 local_{};
  std::string in_;   // offered and not taken yet
  std::string out_;  // from out_at_ on
  size_t out_at_ = 0;
  base::Held held_;  // both
  size_t most_in_ = size_t{2} << 20;
  size_t next_read_ = 0;  // 0: as much as fits the scratch memory
  int64_t last_sent_ = 0;
  base::Millis longest_linger_{30'000};
  uint64_t linger_bytes_ = UINT64_MAX;  // that are thrown away at the most
  uint64_t lingered_ = 0;               // that were
  int64_t linger_since_ = 0;            // the loop's clock
  uint32_t interest_ = 0;
  State state_ = State::kNew;
  bool registered_ = false;
  bool plain_ = false;
  base::Millis wait_{0};  // of a handshake whose time has not come
  bool later_ = false;    // turn_ waits for the time of a handshake to come
  bool reads_on_ = false;
  bool write_failed_ = false;
  bool paused_ = false;
  bool yielding_ = false;
  bool eof_ = false;
  bool eof_told_ = false;
  bool flush_planned_ = false;
  bool blocked_ = false;  // the kernel takes no more: wait for EPOLLOUT
  bool delivering_ = false;
  bool was_full_ = false;
  bool write_ends_ = false;  // once the buffer is empty
  bool write_ended_ = false;
};

}  // namespace yett::net
