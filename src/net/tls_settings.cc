#include "net/tls_settings.h"

#include <openssl/pem.h>

#include <memory>

#include "identity/openssl_error.h"
#include "identity/pem.h"

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

void useProtocols(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_security_level(context, 2);  // regardless of the machine's openssl.cnf
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Many peers close without a close_notify (RFC 8446 6.1); HTTP itself delimits its messages.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(context,
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  // AES-128 is as safe here as AES-256, and SHA-256 derives keys faster than SHA-384.
  SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256");
  SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384:P-521");
}

Status useIdentity(SSL_CTX* context, const std::string& certificate_pem, const std::string& private_key_pem) {
  TRY(useCertificate(context, certificate_pem));
  if (auto whole = identity::pemBlocks(private_key_pem); !whole)
    return std::move(whole).error().within("the private key");
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(reader(private_key_pem).get(), nullptr, identity::noPassphrase, nullptr), EVP_PKEY_free);
  if (!key && private_key_pem.find("ENCRYPTED") != std::string::npos) {
    identity::opensslError();
    return Error{"the private key has a passphrase, which Yett cannot ask for: store it without one"};
  }
  if (!key) return Error{"the private key cannot be read: " + identity::opensslError()};
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return Error{"the private key does not match the certificate: " + identity::opensslError()};
  }
  return {};
}

Status checkIdentity(const std::string& certificate_pem, const std::string& private_key_pem) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_method()), SSL_CTX_free);
  return useIdentity(context.get(), certificate_pem, private_key_pem);
}

}  // namespace yett::net
