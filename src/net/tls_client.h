// The TLS settings of a cluster: the certificate that Yett shows to services, which services it accepts, sessions to
// resume. Immutable but for the sessions, shared by all loops.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "identity/trust_bundle.h"
#include "net/tls_key_log.h"

namespace yett::net {

/// A service that has proved who it is.
struct ServicePeer {
  std::string id;       ///< its SPIFFE ID, or the DNS name that was asked for
  int64_t expires = 0;  ///< seconds since 1970: when its chain is no longer valid
};

class TlsClient {
 public:
  struct Source {
    std::string certificate_pem;  ///< Yett's own, leaf first; "": none is shown
    std::string private_key_pem;
    std::shared_ptr<const identity::TrustBundles> bundles;  ///< for `peers`
    /// Whom to accept: SPIFFE IDs, or "spiffe://example.org" for a whole trust domain.
    std::vector<std::string> peers;
    /// Else: the DNS name that the certificate must have (RFC 9525), vouched for by `ca_pem`, or, if that is "", by the
    /// system's authorities.
    std::string peer_name;
    std::string ca_pem;
    std::string key_log = {};  ///< file of the connections' keys (tls_key_log.h); "": none
    /// SHA-256 (bytes) over all of them.
    std::string digest() const;
  };
  /// Fails if something of it cannot be read or does not match.
  static Result<std::shared_ptr<const TlsClient>> create(const Source& source);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;

  SSL_CTX* native() const { return context_; }
  /// The digest of its source. Two clients with the same digest accept the same services.
  const std::string& digest() const { return digest_; }
  /// Whether this may be the peer, at `now` (seconds since 1970). Errors name the peer and say what was expected.
  /// `chain` may be null.
  Result<ServicePeer> judge(X509* leaf, STACK_OF(X509) * chain, int64_t now) const;
  /// A session with this endpoint, to be resumed once; null: none is kept. The caller owns it. Any thread.
  SSL_SESSION* takeSession(const std::string& endpoint) const;
  /// Takes ownership.
  void keepSession(const std::string& endpoint, SSL_SESSION* session) const;

 private:
  TlsClient() = default;
  Result<ServicePeer> judgeSpiffe(X509* leaf, STACK_OF(X509) * chain, int64_t now) const;
  Result<ServicePeer> judgeName(X509* leaf, STACK_OF(X509) * chain, int64_t now) const;
  SSL_CTX* context_ = nullptr;
  X509_STORE* authorities_ = nullptr;  // for peer_name
  std::unique_ptr<TlsKeyLog> key_log_;
  std::shared_ptr<const identity::TrustBundles> bundles_;
  std::vector<std::string> peers_;
  std::string peer_name_;
  std::string digest_;
  mutable base::Mutex mutex_;
  mutable std::map<std::string, std::vector<SSL_SESSION*>> sessions_ YETT_GUARDED_BY(mutex_);
  mutable std::deque<std::string> order_ YETT_GUARDED_BY(mutex_);  // of its endpoints, as they came
};

}  // namespace yett::net
