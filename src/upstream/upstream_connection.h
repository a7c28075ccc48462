// One connection to an endpoint: a socket and a client codec. Owned by its pool.
#pragma once

#include <memory>
#include <vector>

#include "base/units.h"
#include "http/client_codec.h"
#include "http/wire.h"
#include "net/connection.h"
#include "upstream/pool.h"

namespace yett::upstream {

class UpstreamConnection final : public net::ConnectionEvents, public http::Wire, public net::Destroyable {
 public:
  /// `endpoint`: its index in the cluster.
  UpstreamConnection(Pool& pool, net::EventLoop& loop, size_t endpoint, const http::Limits& limits, bool http2);
  ~UpstreamConnection() override;

  /// Starts to connect; on failure, the pool tries other endpoints for the waiting users.
  void connect();
  /// Adds a user that gets a lease once the connection is open.
  void await(Pool::Waiter waiter) {
    waiting_.push_back(waiter);
    pool_.addWait(*waiter.user, *this);
  }
  /// Nobody shares it: made for one exchange over HTTP/2.
  bool alone = false;
  /// Its loss has been counted as a failure of the endpoint.
  bool counted = false;
  void forget(PoolUser& user);
  /// Not open yet, and not too many wait.
  bool takesWaiters() const;
  http::ClientCodec& codec() { return *codec_; }
  const std::string& endpoint() const { return where().name; }
  size_t endpointIndex() const { return endpoint_; }
  bool http2() const { return http2_; }
  EndpointStates& states() { return pool_.states_; }
  ClusterLoad& load() { return *pool_.cluster().load; }
  /// Its service may be gone: probes it, and ends all in-flight exchanges if it does not answer within five seconds.
  void suspect();
  void rest(base::Millis limit);
  void wake();
  /// Before an HTTP/1.1 response: reads only little of it until its caller takes some.
  void beginExchange() { limitNextRead(16 << 10); }
  void limitNextRead(size_t bytes) {
    if (!http2_ && connection_) connection_->limitNextRead(bytes);
  }
  size_t heldBytes() const { return connection_ ? connection_->heldBytes() : 0; }
  bool usable() const { return connection_ && connection_->open() && codec_->room() > 0; }
  /// Closes immediately.
  void close();
  /// Closes gracefully; still counts until the service has closed too, at most a second. REQUIRES: no exchange is in
  /// flight.
  void end();

  void onOpen() override;
  size_t onData(std::string_view bytes) override { return codec_->onBytes(bytes); }
  void onEof() override { codec_->onPeerClosed(true); }
  void onDrained() override;
  void onTimeout() override;
  void onClosed(std::string_view why) override;

  void write(std::string_view bytes) override { connection_->write(bytes); }
  size_t buffered() const override { return connection_->buffered(); }
  void callAtBatchEnd() override;
  int64_t nowMillis() const override { return loop_.nowMillis(); }
  void pauseReading() override { connection_->pauseReading(); }
  void resumeReading() override { connection_->resumeReading(); }
  void finishWriting() override { connection_->finishWriting(); }
  void finish() override { connection_->finish(); }
  void abort() override { connection_->abort(); }

 private:
  friend class Lease;
  void settle();
  Pool& pool_;
  net::EventLoop& loop_;
  const Endpoint& where() const { return pool_.cluster().endpoints[endpoint_]; }
  const size_t endpoint_;
  const http::Limits& limits_;
  const bool http2_;
  std::unique_ptr<net::Connection> connection_;
  std::unique_ptr<http::ClientCodec> codec_;
  std::vector<Pool::Waiter> waiting_;
  bool opened_ = false;
  bool resting_ = false;
  bool probe_timed_ = false;  // the timer is for the answer to a probe
};

}  // namespace yett::upstream
