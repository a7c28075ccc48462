// The TLS settings of a listener: certificate, key, protocol settings and the bundles used to verify callers.
// Immutable after create() and shared by all loops, so that a session can be resumed on any of them.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "base/result.h"
#include "identity/trust_bundle.h"
#include "net/rate.h"
#include "net/tls_key_log.h"
#include "net/tls_sessions.h"

namespace yett::net {

enum class ClientCertificate { kRequired, kOptional, kNone };

class TlsContext {
 public:
  struct Source {
    std::string name;             ///< the listener's name
    std::string certificate_pem;  ///< leaf first, then intermediates
    std::string private_key_pem;
    std::shared_ptr<const identity::TrustBundles> bundles;
    ClientCertificate client_certificate = ClientCertificate::kRequired;
    int64_t handshakes_per_second = 0;  ///< 0: no limit
    std::string key_log = {};           ///< file of the connections' keys (tls_key_log.h); "": none
    std::string protocols = {};         ///< ALPN wire format (length-prefixed), preferred first; "": no ALPN
  };
  /// Fails if the certificate cannot be read or the key does not match it.
  static Result<std::shared_ptr<const TlsContext>> create(const Source& source);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;

  SSL_CTX* native() const { return context_; }
  const identity::TrustBundles& bundles() const { return *bundles_; }
  bool asksForCertificate() const { return asks_; }
  /// The rate limit of new handshakes, across all loops.
  Rate& rate() const { return rate_; }

 private:
  static constexpr size_t kSessionBytes = 8 << 20;
  explicit TlsContext(int64_t handshakes_per_second) : rate_(handshakes_per_second) {}
  static int chooseProtocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                            unsigned int offered_size, void* self);
  TlsSessions sessions_{kSessionBytes};
  std::unique_ptr<TlsKeyLog> key_log_;
  SSL_CTX* context_ = nullptr;
  std::shared_ptr<const identity::TrustBundles> bundles_;
  bool asks_ = true;
  mutable Rate rate_;
  std::string protocols_;
};

}  // namespace yett::net
