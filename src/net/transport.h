// How bytes get over a connected socket: as they are, or through TLS. One per connection, on its loop.
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
  /// kLater: not for the socket's sake; to be tried again after a while.
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

/// How far a handshake that is not done has come. kHello: its peer has not said all of its first message, which costs
/// nothing but memory. kQueued: what costs may not begin yet. kUnderWay: it has begun.
enum class HandshakeStage : uint8_t { kHello, kQueued, kUnderWay };

class Transport {
 public:
  virtual ~Transport() = default;
  /// kOk when bytes may flow; kWant* and kLater to be called again; kError with failure() set, or "" where
  /// the peer just went away; kEof likewise. Does a bounded part of
  /// the work and no more, though that may take a millisecond.
  virtual IoResult handshake() = 0;
  virtual HandshakeStage stage() const { return HandshakeStage::kHello; }
  virtual IoResult read(char* to, size_t size) = 0;
  virtual IoResult write(const char* from, size_t size) = 0;
  /// Bytes wait that the socket's readiness does not tell of.
  virtual bool holdsInput() const = 0;
  /// Tells the peer that no more comes.
  virtual void shutdownWrite() = 0;
  /// Who the peer is. REQUIRES: the handshake is done.
  virtual const std::shared_ptr<const identity::Principal>& principal() const = 0;
  /// Until when (seconds since 1970) the peer's certificate counts with these bundles; 0: it does not, at `now`. Where
  /// its trust anchor is still among them nothing is verified again.
  virtual int64_t trustedUntil(const identity::TrustBundles& bundles, int64_t now) const = 0;
  /// What the policy may ask about the session; views live as long as the transport.
  virtual TlsInfo info() const = 0;
  /// What ALPN settled on (RFC 7301), "" where it was not used.
  virtual std::string_view protocol() const = 0;
  /// Why the handshake failed, or what the peer did that ended the connection; "" where it just went away.
  virtual const std::string& failure() const = 0;
  /// The SPIFFE ID in a certificate that was refused, where it had one.
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
