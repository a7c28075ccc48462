// The server's side of TLS. The SSL object is created at the first byte, so a connection that has sent nothing costs no
// more than a plain one.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>

#include "identity/principal.h"
#include "identity/trust_bundle.h"
#include "net/tls_context.h"
#include "net/tls_stream.h"

namespace yett::net {

class TlsTransport final : public TlsStream {
 public:
  /// `admits` (may be null): checked in addition to the context's rate before the expensive part of a handshake.
  TlsTransport(int fd, std::shared_ptr<const TlsContext> context, std::function<bool()> admits = nullptr);

  IoResult handshake() override;
  HandshakeStage stage() const override { return stage_; }
  const std::shared_ptr<const identity::Principal>& principal() const override { return principal_; }
  std::string_view failedCaller() const override { return failed_caller_; }
  int64_t trustedUntil(const identity::TrustBundles& bundles, int64_t now) const override;

  /// For SSL_CTX_set_client_hello_cb().
  static int onClientHello(SSL* ssl, int*, void*) noexcept;
  /// Makes `context` verify client certificates as X.509-SVIDs; the TlsTransport of the handshake keeps the verdict.
  static void installVerifier(SSL_CTX* context, ClientCertificate mode);

 private:
  static int verify(X509_STORE_CTX* chain, void*) noexcept;
  static int judge(X509_STORE_CTX* chain);
  void keepInSession();
  void refuse(X509* leaf, const std::string& why);
  bool settlePrincipal();

  const std::shared_ptr<const TlsContext> context_;
  const std::function<bool()> admits_;
  HandshakeStage stage_ = HandshakeStage::kHello;
  std::shared_ptr<const identity::Principal> principal_;
  std::string failed_caller_;
};

}  // namespace yett::net
