#include "net/tls_transport.h"

#include <algorithm>

#include "base/clock.h"
#include "identity/x509_svid.h"

namespace yett::net {

TlsTransport::TlsTransport(int fd, std::shared_ptr<const TlsContext> context, std::function<bool()> admits)
    : TlsStream(fd), context_(std::move(context)), admits_(std::move(admits)) {}

void TlsTransport::installVerifier(SSL_CTX* context, ClientCertificate mode) {
  // Every presented certificate is verified, in optional mode too: a caller with a bad one never becomes anonymous.
  const int flags = mode == ClientCertificate::kNone       ? SSL_VERIFY_NONE
                    : mode == ClientCertificate::kOptional ? SSL_VERIFY_PEER
                                                           : SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, flags, nullptr);
  SSL_CTX_set_cert_verify_callback(context, &TlsTransport::verify, nullptr);
}

void TlsTransport::refuse(X509* leaf, const std::string& why) {
  failure_ = why;
  auto id = identity::leafId(leaf);
  if (id) failed_caller_ = id.value().text();
}

// No exception may pass through OpenSSL: if memory runs out, the certificate is refused.
int TlsTransport::verify(X509_STORE_CTX* chain, void*) noexcept {
  try {
    return judge(chain);
  } catch (...) {
    X509_STORE_CTX_set_error(chain, X509_V_ERR_OUT_OF_MEM);
    return 0;
  }
}

int TlsTransport::judge(X509_STORE_CTX* chain) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* self = static_cast<TlsTransport*>(static_cast<TlsStream*>(SSL_get_app_data(ssl)));
  auto verdict = identity::verifyPeer(X509_STORE_CTX_get0_cert(chain), X509_STORE_CTX_get0_untrusted(chain),
                                      self->context_->bundles(), base::wallMicros() / 1'000'000);
  if (!verdict) {
    self->refuse(X509_STORE_CTX_get0_cert(chain), verdict.error().message);
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  self->principal_ = std::make_shared<const identity::Principal>(std::move(verdict).value());
  self->keepInSession();
  return 1;
}

void TlsTransport::keepInSession() {
  SSL_SESSION* session = SSL_get_session(ssl_);
  if (session == nullptr || !TlsSessions::keep(session, principal_)) return;
  // A session ends with its certificate: then the caller makes a full handshake, perhaps with a newer one.
  const int64_t left = principal_->expires - base::wallMicros() / 1'000'000 - 1;
  SSL_SESSION_set_timeout(session, static_cast<long>(std::clamp<int64_t>(left, 0, SSL_SESSION_get_timeout(session))));
}

// After a full handshake, verify() has set the principal, unless the caller has shown no certificate. A resumed
// handshake calls it not: the principal is the session's, which the cache gives out only while a full handshake would
// succeed (the bundles are the same, since sessions do not outlive their context).
bool TlsTransport::settlePrincipal() {
  if (principal_) return true;
  if (SSL_session_reused(ssl_) == 1) principal_ = TlsSessions::principal(SSL_get_session(ssl_));
  else if (!context_->asksForCertificate() || SSL_get0_peer_certificate(ssl_) == nullptr)
    principal_ = TlsSessions::nobody();
  if (!principal_) {
    failure_ = "a session without its principal";
    return false;
  }
  const int64_t now = base::wallMicros() / 1'000'000;
  if (principal_->anonymous() || identity::trustedUntil(*principal_, context_->bundles(), now).value_or(0) > now)
    return true;
  failed_caller_ = principal_->id;
  failure_ = "the certificate of `" + failed_caller_ + "`: no longer trusted, or the CRL has expired";
  return false;
}

// Everything up to here was cheap. The rest of the handshake is expensive, so it is rate-limited.
int TlsTransport::onClientHello(SSL* ssl, int*, void*) noexcept {
  auto* self = static_cast<TlsTransport*>(static_cast<TlsStream*>(SSL_get_app_data(ssl)));
  if (self->stage_ == HandshakeStage::kUnderWay) return SSL_CLIENT_HELLO_SUCCESS;
  self->stage_ = HandshakeStage::kQueued;
  if (self->admits_ && !self->admits_()) return SSL_CLIENT_HELLO_RETRY;
  if (!self->context_->rate().take(base::steadyNanos())) return SSL_CLIENT_HELLO_RETRY;
  self->stage_ = HandshakeStage::kUnderWay;
  return SSL_CLIENT_HELLO_SUCCESS;
}

IoResult TlsTransport::handshake() {
  if (done_) return {};
  if (ssl_ == nullptr) {
    if (!create(context_->native())) return {IoResult::Kind::kError, 0};
    SSL_set_accept_state(ssl_);
  }
  const IoResult out = step();
  if (out.kind == IoResult::Kind::kOk && !settlePrincipal()) return {IoResult::Kind::kError, 0};
  return out;
}

int64_t TlsTransport::trustedUntil(const identity::TrustBundles& bundles, int64_t now) const {
  if (principal()->anonymous()) return INT64_MAX;
  if (const auto until = identity::trustedUntil(*principal(), bundles, now); until && *until != 0) return *until;
  if (bundles.find(principal()->trust_domain) == nullptr) return 0;
  X509* leaf = SSL_get0_peer_certificate(ssl_);
  if (leaf == nullptr) return 0;
  const auto verdict = identity::verifyPeer(leaf, SSL_get_peer_cert_chain(ssl_), bundles, now);
  return verdict && verdict.value().id == principal()->id
             ? identity::trustedUntil(verdict.value(), bundles, now).value_or(0)
             : 0;
}

}  // namespace yett::net
