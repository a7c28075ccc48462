#include "socket.h"

#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>

namespace load {
namespace {

[[noreturn]] void die(const std::string& what) {
  std::cerr << "error: " << what << "\n";
  std::exit(1);
}

}  // namespace

Tls::Tls(const Options& o) : host_(o.host) {
  if (o.ca.empty()) return;
  context_.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* c = context_.get();
  SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION);
  SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_read_ahead(c, 1);
  SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_load_verify_locations(c, o.ca.c_str(), nullptr) != 1) die("cannot read " + o.ca);
  if (!o.certificate.empty() && (SSL_CTX_use_certificate_chain_file(c, o.certificate.c_str()) != 1 ||
                                 SSL_CTX_use_PrivateKey_file(c, o.key.c_str(), SSL_FILETYPE_PEM) != 1))
    die("cannot use " + o.certificate + " with its key");
  if (o.streams > 0) SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>("\2h2"), 3);
  if (o.reconnect != Reconnect::kResumed) return;
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(c, [](SSL* ssl, SSL_SESSION* session) {
    return static_cast<Session*>(SSL_get_app_data(ssl))->reset(session), 1;
  });
}

SSL* Tls::make(int fd) const {
  SSL* ssl = SSL_new(context_.get());
  SSL_set_fd(ssl, fd);
  SSL_set_connect_state(ssl);
  SSL_set_tlsext_host_name(ssl, host_.c_str());
  return ssl;
}

Socket::Socket(const Options& o, const Tls& tls, Session& session)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  if (fd_ < 0) die("no more sockets (ulimit -n)");
  const int one = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  // Close with RST, so that thousands of connections in TIME_WAIT do not use up the ports.
  const struct linger now { 1, 0 };
  if (o.reconnect != Reconnect::kNever) ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&o.address), sizeof o.address) != 0 && errno != EINPROGRESS)
    die("cannot connect");
  if (!tls.on()) return;
  ssl_ = tls.make(fd_);
  SSL_set_app_data(ssl_, &session);
  if (session) SSL_set_session(ssl_, session.get());
}

Socket::~Socket() {
  if (ssl_ != nullptr) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
  ::close(fd_);
}

Socket::State Socket::after(int returned) {
  const int error = SSL_get_error(ssl_, returned);
  wants_write_ = error == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  return error == SSL_ERROR_WANT_READ || wants_write_ ? State::kWaits : State::kClosed;
}

Socket::State Socket::open() {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return State::kClosed;
    connected_ = true;
    wants_write_ = false;
  }
  if (ssl_ == nullptr) return State::kReady;
  const int n = SSL_do_handshake(ssl_);
  wants_write_ = false;
  return n == 1 ? State::kReady : after(n);
}

Socket::State Socket::read(char* to, size_t size, size_t& got) {
  if (ssl_ != nullptr) {
    const int ok = SSL_read_ex(ssl_, to, size, &got);
    return ok == 1 ? State::kReady : after(ok);
  }
  const ssize_t n = ::recv(fd_, to, size, 0);
  got = n > 0 ? static_cast<size_t>(n) : 0;
  if (n > 0) return State::kReady;
  return n < 0 && errno == EAGAIN ? State::kWaits : State::kClosed;
}

Socket::State Socket::write(const std::string& out, size_t& at) {
  wants_write_ = false;
  while (at < out.size()) {
    size_t n = 0;
    if (ssl_ != nullptr) {
      const int ok = SSL_write_ex(ssl_, out.data() + at, out.size() - at, &n);
      if (ok != 1) return after(ok);
    } else {
      const ssize_t sent = ::send(fd_, out.data() + at, out.size() - at, MSG_NOSIGNAL);
      if (sent < 0) {
        wants_write_ = errno == EAGAIN;
        return wants_write_ ? State::kWaits : State::kClosed;
      }
      n = static_cast<size_t>(sent);
    }
    at += n;
  }
  return State::kReady;
}

}  // namespace load
