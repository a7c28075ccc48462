#include "net/tls_context.h"

#include <openssl/pem.h>

#include "base/sha256.h"
#include "identity/openssl_error.h"
#include "identity/pem.h"
#include "net/tls_transport.h"

namespace yett::net {
namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Cert = std::unique_ptr<X509, decltype(&X509_free)>;

Bio reader(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

Status useCertificate(SSL_CTX* context, const std::string& pem) {
  auto blocks = identity::certificateBlocks(pem, true);
  if (!blocks) return std::move(blocks).error().within("the certificate");
  if (blocks.value().empty()) return Error{"the certificate: its file contains no certificate"};
  bool leaf = true;
  for (const auto& block : blocks.value()) {
    const std::string name = "the certificate on line " + std::to_string(block.line);
    const Cert cert(PEM_read_bio_X509(reader(block.text).get(), nullptr, identity::noPassphrase, nullptr), X509_free);
    if (!cert) return Error{name + " cannot be read: " + identity::opensslError()};
    const bool used =
        leaf ? SSL_CTX_use_certificate(context, cert.get()) == 1 : SSL_CTX_add1_chain_cert(context, cert.get()) == 1;
    if (!used) return Error{name + " cannot be used: " + identity::opensslError()};
    leaf = false;
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::create(const Source& source) {
  std::shared_ptr<TlsContext> out(new TlsContext(source.handshakes_per_second));
  out->bundles_ = source.bundles;
  out->asks_ = source.client_certificate != ClientCertificate::kNone;
  SSL_CTX* context = out->context_ = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) return Error{identity::opensslError()};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_security_level(context, 2);  // regardless of the machine's openssl.cnf
  // Sessions are cached here, not in tickets: a ticket would contain the client's whole chain and survive a bundle
  // change.
  SSL_CTX_set_options(
      context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION);
  // Many clients close without a close_notify (RFC 8446 6.1); HTTP itself delimits its messages.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_client_hello_cb(context, &TlsTransport::onClientHello, nullptr);
  SSL_CTX_set_num_tickets(context, 1);
  out->sessions_.install(context);
  if (!source.key_log.empty()) {
    out->key_log_ = std::make_unique<TlsKeyLog>(source.key_log);
    out->key_log_->install(context);
  }
  SSL_CTX_set_timeout(context, 3600);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  // AES-128 is as safe here as AES-256, and SHA-256 derives keys faster than SHA-384.
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521");
  TRY(useCertificate(context, source.certificate_pem));
  if (auto whole = identity::pemBlocks(source.private_key_pem); !whole)
    return std::move(whole).error().within("the private key");
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(reader(source.private_key_pem).get(), nullptr, identity::noPassphrase, nullptr),
      EVP_PKEY_free);
  if (!key && source.private_key_pem.find("ENCRYPTED") != std::string::npos) {
    identity::opensslError();
    return Error{"the private key has a passphrase, which Yett cannot ask for: store it without one"};
  }
  if (!key) return Error{"the private key cannot be read: " + identity::opensslError()};
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Error{"the private key does not match the certificate: " + identity::opensslError()};
  }
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
