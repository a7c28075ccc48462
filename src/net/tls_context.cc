#include "net/tls_context.h"

#include "base/sha256.h"
#include "identity/openssl_error.h"
#include "net/tls_settings.h"
#include "net/tls_transport.h"

namespace yett::net {

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const Source& source) {
  std::shared_ptr<TlsContext> out(new TlsContext(source.handshakes_per_second));
  out->bundles_ = source.bundles;
  out->asks_ = source.client_certificate != ClientCertificate::kNone;
  SSL_CTX* context = out->context_ = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return Error{identity::opensslError()};
  useProtocols(context);
  // Sessions are cached here, not in tickets: a ticket would contain the client's whole chain and survive a bundle
  // change.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_client_hello_cb(context, &TlsTransport::onClientHello, nullptr);
  SSL_CTX_set_num_tickets(context, 1);
  out->sessions_.install(context);
  if (!source.key_log.empty()) {
    out->key_log_ = std::make_unique<TlsKeyLog>(source.key_log);
    out->key_log_->install(context);
  }
  SSL_CTX_set_timeout(context, 3600);
  TRY(useIdentity(context, source.certificate_pem, source.private_key_pem));
  out->protocols_ = source.protocols;
  if (!source.protocols.empty()) SSL_CTX_set_alpn_select_cb(context, &TlsContext::chooseProtocol, out.get());
  const std::string mode = std::to_string(static_cast<int>(source.client_certificate));
  const auto id = base::Sha256Hasher()
                      .update(source.name)
                      .update("\n")
                      .update(mode)
                      .update(source.bundles->digest())
                      .update(source.certificate_pem)
                      .finish();
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(id.data()), SSL_MAX_SID_CTX_LENGTH);
  TlsTransport::installVerifier(context, source.client_certificate);
  return std::shared_ptr<const TlsContext>(std::move(out));
}

// A caller that offers only protocols that are not supported here gets an alert (RFC 7301 3.2); one that offers none
// speaks HTTP/1.1.
int TlsContext::chooseProtocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                               unsigned int offered_size, void* self) {
  const std::string& ours = static_cast<const TlsContext*>(self)->protocols_;
  const int found =
      SSL_select_next_proto(const_cast<unsigned char**>(out), size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

}  // namespace yett::net
