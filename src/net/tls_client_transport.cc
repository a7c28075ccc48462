#include "net/tls_client_transport.h"

#include <openssl/err.h>

#include "base/clock.h"
#include "base/text.h"
#include "identity/openssl_error.h"
#include "net/tls_sessions.h"

namespace yett::net {
namespace {

TlsClientTransport& of(SSL* ssl) {
  return *static_cast<TlsClientTransport*>(static_cast<TlsStream*>(SSL_get_app_data(ssl)));
}

int64_t nowSeconds() {
  return base::wallMicros() / 1'000'000;
}

}  // namespace

TlsClientTransport::TlsClientTransport(int fd, std::shared_ptr<const TlsClient> client, std::string endpoint,
                                       const std::string& sni, std::string_view protocols)
    : TlsStream(fd), client_(std::move(client)), endpoint_(std::move(endpoint)) {
  if (!create(client_->native())) return;
  SSL_set_connect_state(ssl_);
  ready_ = sni.empty() || SSL_set_tlsext_host_name(ssl_, sni.c_str()) == 1;
  SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(protocols.data()),
                      static_cast<unsigned int>(protocols.size()));
  if (SSL_SESSION* session = client_->takeSession(endpoint_)) {
    SSL_set_session(ssl_, session);
    SSL_SESSION_free(session);
  }
}

void TlsClientTransport::install(SSL_CTX* context) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &TlsClientTransport::verify, nullptr);
  SSL_CTX_sess_set_new_cb(context, &TlsClientTransport::onSession);
}

bool TlsClientTransport::take(X509* leaf, STACK_OF(X509) * chain) {
  auto peer = client_->judge(leaf, chain, nowSeconds());
  if (peer) {
    peer_ = std::move(peer).value();
    return true;
  }
  untrusted_ = true;
  failure_ = peer.error().message;
  return false;
}

// No exception may pass through OpenSSL: if memory runs out, the certificate is refused.
int TlsClientTransport::verify(X509_STORE_CTX* chain, void*) noexcept {
  try {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (of(ssl).take(X509_STORE_CTX_get0_cert(chain), X509_STORE_CTX_get0_untrusted(chain))) return 1;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
  } catch (...) {
    X509_STORE_CTX_set_error(chain, X509_V_ERR_OUT_OF_MEM);
  }
  return 0;
}

int TlsClientTransport::onSession(SSL* ssl, SSL_SESSION* session) noexcept {
  try {
    const TlsClientTransport& self = of(ssl);
    self.client_->keepSession(self.endpoint_, session);
    return 1;  // it has the session
  } catch (...) {
    return 0;
  }
}

IoResult TlsClientTransport::handshake() {
  if (done_) return {};
  if (!ready_) {
    failure_ = "no memory for TLS, or an SNI that cannot be used";
    return {IoResult::Kind::kError, 0};
  }
  IoResult out = step();
  // A resumed session repeats no verification, and the peer may be trusted no more.
  if (out.kind == IoResult::Kind::kOk && SSL_session_reused(ssl_) == 1 &&
      !take(SSL_get0_peer_certificate(ssl_), SSL_get_peer_cert_chain(ssl_)))
    out.kind = IoResult::Kind::kError;
  if (out.kind == IoResult::Kind::kEof || (out.kind == IoResult::Kind::kError && failure_.empty()))
    failure_ = "the service ended the TLS handshake";
  else if (out.kind == IoResult::Kind::kError && !untrusted_) failure_ = "TLS: " + failure_;
  return out;
}

// In TLS 1.3, a service that refuses Yett's certificate says so after the handshake.
IoResult TlsClientTransport::read(char* to, size_t size) {
  IoResult out = TlsStream::read(to, size);
  if (out.kind == IoResult::Kind::kEof && cut()) {  // the end of a body without a length would be anybody's
    out.kind = IoResult::Kind::kError;
    failure_ = "TLS: the service ended the connection without close_notify";
  }
  if (out.kind == IoResult::Kind::kError && failure_.empty() && ERR_peek_error() != 0)
    failure_ = "TLS: " + base::lowered(identity::opensslError());
  return out;
}

const std::shared_ptr<const identity::Principal>& TlsClientTransport::principal() const {
  return TlsSessions::nobody();
}

bool TlsClientTransport::acceptedBy(const TlsClient& other, int64_t now) const {
  return other.judge(SSL_get0_peer_certificate(ssl_), SSL_get_peer_cert_chain(ssl_), now).ok();
}

}  // namespace yett::net
