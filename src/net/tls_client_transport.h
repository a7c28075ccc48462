// The client's side of TLS: verifies the service by its cluster's TlsClient. One per connection, on its loop.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "identity/principal.h"
#include "identity/trust_bundle.h"
#include "net/tls_client.h"
#include "net/tls_stream.h"

namespace yett::net {

class TlsClientTransport final : public TlsStream {
 public:
  /// `endpoint`: whose sessions may be resumed. `sni`: RFC 6066 3, "": none. `protocols`: ALPN wire format
  /// (length-prefixed), preferred first.
  TlsClientTransport(int fd, std::shared_ptr<const TlsClient> client, std::string endpoint, const std::string& sni,
                     std::string_view protocols);

  IoResult handshake() override;
  IoResult read(char* to, size_t size) override;
  /// Nobody: the service is not a caller.
  const std::shared_ptr<const identity::Principal>& principal() const override;
  int64_t trustedUntil(const identity::TrustBundles&, int64_t) const override { return peer_.expires; }
  /// REQUIRES: the handshake is done.
  const ServicePeer& peer() const { return peer_; }
  /// The handshake failed because the service is not the expected one, or its certificate is not valid.
  bool untrusted() const { return untrusted_; }
  /// Whether other settings accept this peer too. REQUIRES: the handshake is done.
  bool acceptedBy(const TlsClient& other, int64_t now) const;

  /// Makes `context` verify services, and keep their sessions.
  static void install(SSL_CTX* context);

 private:
  static int verify(X509_STORE_CTX* chain, void*) noexcept;
  static int onSession(SSL* ssl, SSL_SESSION* session) noexcept;
  bool take(X509* leaf, STACK_OF(X509) * chain);

  const std::shared_ptr<const TlsClient> client_;
  const std::string endpoint_;
  ServicePeer peer_;
  bool ready_ = false;
  bool untrusted_ = false;
};

}  // namespace yett::net
