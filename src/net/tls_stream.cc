#include "net/tls_stream.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include "base/text.h"
#include "identity/openssl_error.h"

namespace yett::net {

// Cheaper than always clearing: the queue is nearly always empty.
static void clearErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

TlsStream::~TlsStream() {
  // Without this, OpenSSL treats a peer that closes without a close_notify (as many do) as a truncation attack and
  // drops its session. HTTP itself delimits its messages.
  if (ssl_ != nullptr && done_) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

bool TlsStream::create(SSL_CTX* context) {
  ssl_ = SSL_new(context);
  if (ssl_ == nullptr || !input_.attach(ssl_)) return false;
  SSL_set_app_data(ssl_, this);
  return true;
}

IoResult TlsStream::result(int returned) const {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ: return {IoResult::Kind::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE: return {IoResult::Kind::kWantWrite, 0};
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: return {IoResult::Kind::kLater, 0};
    case SSL_ERROR_ZERO_RETURN: return {IoResult::Kind::kEof, 0};
    default: return {IoResult::Kind::kError, 0};
  }
}

IoResult TlsStream::step() {
  ERR_clear_error();
  input_.begin();
  const int n = SSL_do_handshake(ssl_);
  input_.endHandshake(n == 1);
  if (n == 1) {
    done_ = true;
    const char* sni = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    info_ = {SSL_get_version(ssl_), SSL_get_cipher_name(ssl_), sni != nullptr ? sni : ""};
    return {};
  }
  const IoResult out = result(n);
  if (out.kind != IoResult::Kind::kError || !failure_.empty()) return out;
  if (input_.refusal() != nullptr) failure_ = input_.refusal();
  else if (ERR_peek_error() != 0) failure_ = base::lowered(identity::opensslError());
  return out;
}

IoResult TlsStream::read(char* to, size_t size) {
  clearErrors();
  size_t n = 0;
  input_.begin();
  const int ok = SSL_read_ex(ssl_, to, size, &n);
  input_.endRead(ok == 1);
  if (ok == 1) return {IoResult::Kind::kOk, n};
  if (input_.refusal() != nullptr) failure_ = input_.refusal();
  return result(ok);
}

IoResult TlsStream::write(const char* from, size_t size) {
  clearErrors();
  size_t n = 0;
  const int ok = SSL_write_ex(ssl_, from, size, &n);
  return ok == 1 ? IoResult{IoResult::Kind::kOk, n} : result(ok);
}

bool TlsStream::holdsInput() const {
  return ssl_ != nullptr && (input_.holds() || SSL_has_pending(ssl_) == 1);
}

void TlsStream::shutdownWrite() {
  if (ssl_ != nullptr && done_) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  ::shutdown(fd_, SHUT_WR);
}

std::string_view TlsStream::protocol() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  if (ssl_ != nullptr) SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace yett::net
