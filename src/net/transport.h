// Transfers bytes over a connected socket, in plaintext or through TLS. One per connection, on its loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "identity/principal.h"
#include "identity/trust_bundle.h"

namespace yett::net {

struct IoResult {
  /// kLater: does not wait for the socket; try again after a while.
  enum class Kind { kOk, kWantRead, kWantWrite, kLater, kEof, kError };
  Kind kind = Kind::kOk;
  size_t bytes = 0;
};

/// What the policy may ask about the TLS session; empty on plaintext.
struct TlsInfo {
  std::string_view version;
  std::string_view cipher;
  std::string_view sni;
};

/// The progress of an unfinished handshake. kHello: the peer has not sent its whole first message; costs only memory.
/// kQueued: waiting for permission to start the expensive part. kUnderWay: the expensive part has started.
enum class HandshakeStage : uint8_t { kHello, kQueued, kUnderWay };

class Transport {
 public:
  virtual ~Transport() = default;
  /// kOk: the handshake is done. kWant*, kLater: call again. kError, kEof: failed; failure() says why, or is "" if the
  /// peer just went away. Each call does a bounded part of the work, which may still take a millisecond.
  virtual IoResult handshake() = 0;
  virtual HandshakeStage stage() const { return HandshakeStage::kHello; }
  virtual IoResult read(char* to, size_t size) = 0;
  virtual IoResult write(const char* from, size_t size) = 0;
  /// Whether bytes are buffered that the socket's readiness does not show.
  virtual bool holdsInput() const = 0;
  /// Tells the peer that no more data follows.
  virtual void shutdownWrite() = 0;
  /// Who the peer is. REQUIRES: the handshake is done.
  virtual const std::shared_ptr<const identity::Principal>& principal() const = 0;
  /// Until when (seconds since 1970) the peer's certificate is valid with these bundles; 0: it is not valid at `now`.
  /// If its trust anchor is still among them, it is not verified again.
  virtual int64_t trustedUntil(const identity::TrustBundles& bundles, int64_t now) const = 0;
  /// What the policy may ask about the session; views live as long as the transport.
  virtual TlsInfo info() const = 0;
  /// The protocol negotiated by ALPN (RFC 7301), "" if it was not used.
  virtual std::string_view protocol() const = 0;
  /// Why the handshake failed, or why the connection was closed on the peer; "" if the peer just went away.
  virtual const std::string& failure() const = 0;
  /// The SPIFFE ID in a refused certificate, if it had one.
  virtual std::string_view failedCaller() const { return {}; }
};

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(int fd) : fd_(fd) {}
  IoResult handshake() override { return {}; }
  IoResult read(char* to, size_t size) override;
  IoResult write(const char* from, size_t size) override;
  bool holdsInput() const override { return false; }
  void shutdownWrite() override;
  const std::shared_ptr<const identity::Principal>& principal() const override;
  int64_t trustedUntil(const identity::TrustBundles&, int64_t) const override { return INT64_MAX; }
  TlsInfo info() const override { return {}; }
  std::string_view protocol() const override { return {}; }
  const std::string& failure() const override;

 private:
  const int fd_;
};

}  // namespace yett::net
