#include "net/tls_transport.h"

#include <openssl/err.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "identity/openssl_error.h"
#include "identity/x509_svid.h"

namespace yett::net {

// Cheaper than to clear what is nearly always empty.
static void clearErrors() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

TlsTransport::TlsTransport(int fd, std::shared_ptr<const TlsContext> context) : fd_(fd), context_(std::move(context)) {}
TlsTransport::~TlsTransport() {
  // Without this, OpenSSL takes a client that closed without a close_notify (as many do) for an attack on its session
  // and forgets it. HTTP says by itself where its messages end.
  if (ssl_ != nullptr && done_) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

void TlsTransport::installVerifier(SSL_CTX* context, ClientCertificate mode) {
  // Whoever presents a certificate is verified, in optional mode too: a bad one never becomes anonymous.
  const int flags = mode == ClientCertificate::kNone       ? SSL_VERIFY_NONE
                    : mode == ClientCertificate::kOptional ? SSL_VERIFY_PEER
                                                           : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, flags, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &TlsTransport::verify, nullptr);
}

int TlsTransport::verify(X509_STORE_CTX* chain, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* self = static_cast<TlsTransport*>(SSL_get_app_data(ssl));
  auto verdict = identity::verifySvid(X509_STORE_CTX_get0_cert(chain), X509_STORE_CTX_get0_untrusted(chain),
                                      self->context_->bundles(), base::wallMicros() / 1'000'000);
  if (!verdict) {
    self->failure_ = verdict.error().message;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  self->principal_ = std::make_shared<const identity::Principal>(std::move(verdict).value());
  return 1;
}

// After a full handshake verify() has spoken; a resumed one never called it, so the certificate of the session is
// looked at again.
bool TlsTransport::settlePrincipal() {
  static const auto anonymous = std::make_shared<const identity::Principal>();
  if (principal_) return true;
  X509* leaf = context_->asksForCertificate() ? SSL_get0_peer_certificate(ssl_) : nullptr;
  if (leaf == nullptr) {
    principal_ = anonymous;
    return true;
  }
  auto verdict = identity::reviewSvid(leaf, SSL_get_peer_cert_chain(ssl_), base::wallMicros() / 1'000'000);
  if (!verdict) {
    failure_ = verdict.error().message;
    return false;
  }
  principal_ = std::make_shared<const identity::Principal>(std::move(verdict).value());
  return true;
}

IoResult TlsTransport::result(int returned) {
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_WANT_READ: return {IoResult::Kind::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE: return {IoResult::Kind::kWantWrite, 0};
    case SSL_ERROR_ZERO_RETURN: return {IoResult::Kind::kEof, 0};
    default: return {IoResult::Kind::kError, 0};
  }
}

IoResult TlsTransport::handshake() {
  if (done_) return {};
  if (ssl_ == nullptr) {
    ssl_ = SSL_new(context_->native());
    if (ssl_ == nullptr || SSL_set_fd(ssl_, fd_) != 1) return {IoResult::Kind::kError, 0};
    SSL_set_app_data(ssl_, this);
    SSL_set_accept_state(ssl_);
  }
  ERR_clear_error();
  const int n = SSL_do_handshake(ssl_);
  if (n == 1) {
    done_ = true;
    const char* sni = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    info_ = {SSL_get_version(ssl_), SSL_get_cipher_name(ssl_), sni != nullptr ? sni : ""};
    return settlePrincipal() ? IoResult{} : IoResult{IoResult::Kind::kError, 0};
  }
  const IoResult out = result(n);
  if (out.kind == IoResult::Kind::kError && failure_.empty() && ERR_peek_error() != 0)
    failure_ = base::lowered(identity::opensslError());
  return out;
}

IoResult TlsTransport::read(char* to, size_t size) {
  clearErrors();
  size_t n = 0;
  const int ok = SSL_read_ex(ssl_, to, size, &n);
  return ok == 1 ? IoResult{IoResult::Kind::kOk, n} : result(ok);
}

IoResult TlsTransport::write(const char* from, size_t size) {
  clearErrors();
  size_t n = 0;
  const int ok = SSL_write_ex(ssl_, from, size, &n);
  return ok == 1 ? IoResult{IoResult::Kind::kOk, n} : result(ok);
}

bool TlsTransport::holdsInput() const {
  return ssl_ != nullptr && SSL_has_pending(ssl_) == 1;
}

void TlsTransport::shutdownWrite() {
  if (ssl_ != nullptr && done_) {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
  }
  ::shutdown(fd_, SHUT_WR);
}

bool TlsTransport::trustedBy(const identity::TrustBundles& bundles, int64_t now) const {
  if (principal()->anonymous()) return true;
  X509* leaf = SSL_get0_peer_certificate(ssl_);
  return leaf != nullptr && identity::verifySvid(leaf, SSL_get_peer_cert_chain(ssl_), bundles, now).ok();
}

std::string_view TlsTransport::protocol() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  if (ssl_ != nullptr) SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace yett::net
