// The TLS sessions of one listener, for resumption (RFC 8446 2.2). OpenSSL's own cache keeps with each session the
// client's certificate chain, about 4 KB; this one keeps the session's secrets and the principal that was verified.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "identity/principal.h"

namespace yett::net {

/// For all loops.
class TlsSessions {
 public:
  using KeptPrincipal = std::shared_ptr<const identity::Principal>;

  /// `bytes`: the oldest sessions give way beyond this.
  explicit TlsSessions(size_t bytes) : most_(bytes) {}
  ~TlsSessions();
  TlsSessions(const TlsSessions&) = delete;
  TlsSessions& operator=(const TlsSessions&) = delete;

  /// Makes a context use this cache. REQUIRES: the cache outlives it.
  void install(SSL_CTX* context);
  /// The principal that a session was verified for; null: unknown.
  static KeptPrincipal principal(SSL_SESSION* session);
  /// The anonymous principal.
  static const KeptPrincipal& nobody();
  /// Remembers it, after the certificate was verified. False: no memory.
  static bool keep(SSL_SESSION* session, const KeptPrincipal& principal);

  size_t bytes() const;
  size_t sessions() const;

 private:
  struct Entry {
    std::string id;
    std::string secrets;  // DER, without certificates
    KeptPrincipal principal;
    size_t size() const;
  };
  using Entries = std::list<Entry>;

  static TlsSessions& of(SSL_CTX* context);
  static int onNew(SSL* ssl, SSL_SESSION* session) noexcept;
  static SSL_SESSION* onGet(SSL* ssl, const unsigned char* id, int size, int* copy) noexcept;
  static void onRemove(SSL_CTX* context, SSL_SESSION* session) noexcept;
  void put(Entry entry);
  void remove(std::string_view id);
  bool get(std::string_view id, std::string& secrets, KeptPrincipal& principal) const;
  void drop(Entries::iterator at) YETT_REQUIRES(mutex_);

  const size_t most_;
  mutable base::Mutex mutex_;
  Entries entries_ YETT_GUARDED_BY(mutex_);  // the oldest first
  std::unordered_map<std::string_view, Entries::iterator> by_id_ YETT_GUARDED_BY(mutex_);
  size_t bytes_ YETT_GUARDED_BY(mutex_) = 0;
};

/// The DER of an SSL_SESSION without its peer certificate; "" if it has another form.
std::string withoutPeer(std::string_view der);

}  // namespace yett::net
