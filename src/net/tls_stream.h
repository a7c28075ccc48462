// TLS on a non-blocking socket, using OpenSSL: what both roles have in common. The role begins the handshake.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "net/tls_input.h"
#include "net/transport.h"

namespace yett::net {

class TlsStream : public Transport {
 public:
  explicit TlsStream(int fd) : fd_(fd), input_(fd) {}
  ~TlsStream() override;

  IoResult read(char* to, size_t size) override;
  IoResult write(const char* from, size_t size) override;
  bool holdsInput() const override;
  void shutdownWrite() override;
  const std::string& failure() const override { return failure_; }
  TlsInfo info() const override { return info_; }
  std::string_view protocol() const override;

 protected:
  /// Creates ssl_, with this object as its app data. False: no memory.
  bool create(SSL_CTX* context);
  /// The connection ended without a close_notify (RFC 8446 6.1): maybe somebody cut it. After a read that gave kEof.
  bool cut() const { return input_.ended(); }
  /// One step of the handshake; failure_ is set if it fails and was not set before.
  IoResult step();

  SSL* ssl_ = nullptr;
  bool done_ = false;  // the handshake
  TlsInfo info_;
  std::string failure_;

 private:
  IoResult result(int returned) const;
  const int fd_;
  TlsInput input_;
};

}  // namespace yett::net
