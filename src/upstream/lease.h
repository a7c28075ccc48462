// The use of an upstream connection by one exchange.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "http/client_codec.h"
#include "upstream/endpoint.h"

namespace yett::upstream {

class UpstreamConnection;

/// The right to use one upstream connection for one exchange. The destructor gives it back: if the exchange ended
/// cleanly, the connection serves others, else an HTTP/1.1 connection is closed and an HTTP/2 stream reset.
class Lease {
 public:
  Lease() = default;
  /// `trial`: the claim of an exchange that tries out an endpoint which was ejected; 0: it does not.
  Lease(UpstreamConnection& connection, bool fresh, int64_t trial)
      : connection_(&connection), fresh_(fresh), trial_(trial) {}
  Lease(Lease&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)),
        stream_(std::exchange(other.stream_, nullptr)),
        fresh_(other.fresh_),
        trial_(other.trial_) {}
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }
  /// Begins the exchange. Once.
  http::ClientStream& open(http::ResponseHandler& handler);
  void release();
  explicit operator bool() const { return connection_ != nullptr; }
  /// REQUIRES: open() was called.
  http::ClientStream& stream() const {
    YETT_CHECK(stream_ != nullptr);
    return *stream_;
  }
  const std::string& endpoint() const;
  std::shared_ptr<const Endpoint> where() const;
  /// The next read of an HTTP/1.1 connection takes no more than this.
  void limitNextRead(size_t bytes) const;
  /// Bytes that are kept for this exchange; 0 without one.
  size_t heldBytes() const;
  /// The exchange failed because of the endpoint (`why` is for people), or was answered: for outlier detection.
  void failed(const std::string& why) const;
  /// The head of the answer came so long after the end of the request.
  void answered(int64_t micros) const;
  void succeeded() const;
  /// The same where the exchange broke; `connection`: with its connection, which counts once for all exchanges on it.
  void lost(const std::string& why, bool connection) const;
  /// The answer broke off, alone or (`connection`) with its connection, which counts once; or it is complete.
  void brokeOff(const std::string& why, bool connection) const;
  void completed() const;
  /// The endpoint did not answer: probes whether it is alive.
  void suspect() const;
  /// No new exchange starts on its connection.
  void leave() const;
  /// The connection speaks HTTP/2.
  bool http2() const;
  /// The connection was made for this exchange: nobody used it before.
  bool fresh() const { return fresh_; }

 private:
  UpstreamConnection* connection_ = nullptr;
  http::ClientStream* stream_ = nullptr;
  bool fresh_ = false;
  int64_t trial_ = 0;
};

}  // namespace yett::upstream
