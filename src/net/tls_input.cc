#include "net/tls_input.h"

#include <openssl/bio.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/clock.h"

namespace yett::net {

// Fits any record and the header of the next (RFC 8446 5.2); a size that tls_memory.h keeps ready.
static constexpr size_t kBuffer = 17 << 10;

TlsInput::~TlsInput() {
  OPENSSL_free(buffer_);
}

BIO_METHOD* TlsInput::method() {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "yett connection");
    BIO_meth_set_read(m, &TlsInput::readBio);
    BIO_meth_set_write(m, &TlsInput::writeBio);
    BIO_meth_set_ctrl(m, &TlsInput::controlBio);
    return m;
  }();
  return made;
}

bool TlsInput::attach(SSL* ssl) {
  BIO* bio = BIO_new(method());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  SSL_set_msg_callback(ssl, &TlsInput::onMessage);
  SSL_set_msg_callback_arg(ssl, this);
  return true;
}

long TlsInput::controlBio(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return static_cast<TlsInput*>(BIO_get_data(bio))->eof_ ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int TlsInput::writeBio(BIO* bio, const char* from, int size) {
  const auto* self = static_cast<TlsInput*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const ssize_t n = ::send(self->fd_, from, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int TlsInput::readBio(BIO* bio, char* to, int size) {
  return static_cast<TlsInput*>(BIO_get_data(bio))->read(bio, to, static_cast<size_t>(size));
}

// Without its own read-ahead, OpenSSL reads the header of a record, then the rest of it, so every record can be checked
// here before it starts.
int TlsInput::read(BIO* bio, char* to, size_t size) {
  BIO_clear_retry_flags(bio);
  if (!handshaking_ && records_ > points_ + 1) refusal_ = "too many TLS records without data";
  if (refusal_ != nullptr) return -1;
  if (!holds()) {
    if (size >= kBuffer / 4) return static_cast<int>(take(bio, to, size));  // the rest of a large record
    if (buffer_ == nullptr) buffer_ = static_cast<char*>(OPENSSL_malloc(kBuffer));
    if (buffer_ == nullptr) return -1;
    at_ = size_ = 0;
    const int64_t n = take(bio, buffer_, kBuffer);
    if (n <= 0) return static_cast<int>(n);
    size_ = static_cast<size_t>(n);
  }
  size = std::min(size, size_ - at_);
  std::memcpy(to, buffer_ + at_, size);
  at_ += size;
  return static_cast<int>(size);
}

// When this call has used its allowance, this looks like an empty socket; the poller reports the rest again.
int64_t TlsInput::take(BIO* bio, char* to, size_t size) {
  if (allowed_ == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const ssize_t n = ::recv(fd_, to, std::min(size, allowed_), 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) BIO_set_retry_read(bio);
  eof_ = n == 0;
  if (n <= 0) return n;
  allowed_ -= static_cast<size_t>(n);
  if (!handshaking_) return n;
  handshake_ += static_cast<size_t>(n);
  if (handshake_ > kHandshake) {
    refusal_ = "a TLS handshake over 128 KiB";
    return -1;
  }
  return n;
}

void TlsInput::onMessage(int writes, int, int type, const void*, size_t, SSL*, void* self) {
  if (writes == 0 && type == SSL3_RT_HEADER) ++static_cast<TlsInput*>(self)->records_;
}

void TlsInput::begin() {
  allowed_ = kPerCall;
  records_ = 0;
  if (points_ < kBurst) charge(0);
}

void TlsInput::giveBack() {
  if (holds() || buffer_ == nullptr) return;
  OPENSSL_free(buffer_);
  buffer_ = nullptr;
}

void TlsInput::endHandshake(bool done) {
  handshaking_ = !done;
  giveBack();
}

void TlsInput::endRead(bool data) {
  giveBack();
  // A record that starts in one call and returns its data in another is counted in both.
  if (const int64_t empty = records_ - (data ? 1 : 0); empty != 0) charge(empty);
}

void TlsInput::charge(int64_t records) {
  const int64_t now = base::steadyNanos();
  if (refilled_ == 0) refilled_ = now;
  const int64_t more = (now - refilled_) * kPerSecond / 1'000'000'000;
  if (more > 0) refilled_ = now;
  points_ = std::min(kBurst, points_ + more - records);
}

}  // namespace yett::net
