// A non-blocking socket, with TLS or without.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "options.h"

namespace load {

/// The TLS context of all connections; null inside without TLS.
class Tls {
 public:
  explicit Tls(const Options& options);
  SSL* make(int fd) const;
  bool on() const { return context_ != nullptr; }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, SSL_CTX_free};
  std::string host_;
};

/// The session that the next handshake of one slot may resume. A TLS 1.3 session can be used only once, so each slot
/// has its own.
using Session = std::unique_ptr<SSL_SESSION, decltype(&SSL_SESSION_free)>;

class Socket {
 public:
  enum class State { kReady, kWaits, kClosed };

  /// REQUIRES: `session` outlives the socket.
  Socket(const Options& options, const Tls& tls, Session& session);
  ~Socket();
  Socket(const Socket&) = delete;

  int fd() const { return fd_; }
  /// Continues the connect and the TLS handshake.
  State open();
  bool resumed() const { return ssl_ != nullptr && SSL_session_reused(ssl_) == 1; }
  State read(char* to, size_t size, size_t& got);
  /// Sends as much of `out` from `at` on as the socket takes.
  State write(const std::string& out, size_t& at);
  bool wantsWrite() const { return wants_write_; }
  bool holdsInput() const { return ssl_ != nullptr && SSL_has_pending(ssl_) == 1; }

 private:
  State after(int returned);
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  bool wants_write_ = true;
};

}  // namespace load
