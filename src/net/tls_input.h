// The BIO that OpenSSL reads from and writes to: one socket, buffered here so that records are passed on one at a time
// and counted. Records without data (KeyUpdate, renegotiation attempts, alerts, empty records) cost far more than their
// size suggests, and OpenSSL handles all it can get in one call. One per TLS connection, on its loop.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>

namespace yett::net {

class TlsInput {
 public:
  /// How many records without data a peer may send in a burst, and how many more per second.
  static constexpr int64_t kBurst = 64;
  static constexpr int64_t kPerSecond = 10;
  /// Bytes read from the socket per OpenSSL call: more than the largest record (RFC 8446 5.2).
  static constexpr size_t kPerCall = 20 << 10;
  /// Maximum bytes of a whole handshake; a client's chain may take most of it.
  static constexpr size_t kHandshake = 128 << 10;

  explicit TlsInput(int fd) : fd_(fd) {}
  ~TlsInput();
  TlsInput(const TlsInput&) = delete;

  /// Makes `ssl` read and write through this object and counts its records. The object must outlive `ssl`. Returns
  /// false if out of memory.
  bool attach(SSL* ssl);
  /// Called before and after each OpenSSL call that may read.
  void begin();
  void endHandshake(bool done);
  /// `data`: the call returned data.
  void endRead(bool data);
  /// Whether bytes are buffered here that the socket's readiness does not show.
  bool holds() const { return at_ < size_; }
  /// The peer has closed the connection, whatever TLS says.
  bool ended() const { return eof_; }
  /// Why reading has stopped for good; null: no error.
  const char* refusal() const { return refusal_; }

 private:
  static BIO_METHOD* method();
  static int readBio(BIO* bio, char* to, int size);
  static int writeBio(BIO* bio, const char* from, int size);
  static long controlBio(BIO* bio, int command, long, void*);
  static void onMessage(int writes, int, int type, const void*, size_t, SSL*, void* self);
  int read(BIO* bio, char* to, size_t size);
  int64_t take(BIO* bio, char* to, size_t size);
  void charge(int64_t records);
  void giveBack();

  const int fd_;
  char* buffer_ = nullptr;  // allocated only while it holds bytes
  size_t at_ = 0;
  size_t size_ = 0;
  size_t allowed_ = 0;    // bytes still allowed in this call
  size_t handshake_ = 0;  // bytes so far
  int64_t records_ = 0;   // started in this call
  int64_t points_ = kBurst;
  int64_t refilled_ = 0;  // last refill, in steady nanoseconds
  bool handshaking_ = true;
  bool eof_ = false;
  const char* refusal_ = nullptr;
};

}  // namespace yett::net
