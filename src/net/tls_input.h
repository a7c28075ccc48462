// What OpenSSL reads from and writes to: one socket, read ahead here so that each record is handed over by itself and
// counted. A peer may send records that carry no data (KeyUpdate, renegotiation attempts, alerts, empty records) at a
// cost far above their size, and OpenSSL handles all it can get in one call. One per TLS connection, on its loop.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>

namespace yett::net {

class TlsInput {
 public:
  /// How many records without data a peer may send at once, and how many more each second.
  static constexpr int64_t kBurst = 64;
  static constexpr int64_t kPerSecond = 10;
  /// Bytes that the socket is read for in one call of OpenSSL: more than the largest record (RFC 8446 5.2).
  static constexpr size_t kPerCall = 20 << 10;
  /// Bytes of a whole handshake; a client's chain may take most of it.
  static constexpr size_t kHandshake = 128 << 10;

  explicit TlsInput(int fd) : fd_(fd) {}
  ~TlsInput();
  TlsInput(const TlsInput&) = delete;

  /// Makes `ssl` read and write through this, and count its records. This outlives `ssl`. False: out of memory.
  bool attach(SSL* ssl);
  /// Before and after each call that may read.
  void begin();
  void endHandshake(bool done);
  /// `data`: the call gave some.
  void endRead(bool data);
  /// Bytes wait here that the socket's readiness does not tell of.
  bool holds() const { return at_ < size_; }
  /// Why nothing more is read; null: nothing is wrong.
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
  char* buffer_ = nullptr;  // while something is in it
  size_t at_ = 0;
  size_t size_ = 0;
  size_t allowed_ = 0;    // bytes, in this call
  size_t handshake_ = 0;  // bytes so far
  int64_t records_ = 0;   // begun in this call
  int64_t points_ = kBurst;
  int64_t refilled_ = 0;  // when; steady nanoseconds
  bool handshaking_ = true;
  bool eof_ = false;
  const char* refusal_ = nullptr;
};

}  // namespace yett::net
