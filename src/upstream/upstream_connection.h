// One connection to an endpoint that exchanges share or take turns on. Owned by its pool.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "http/client_codec.h"
#include "net/event_loop.h"
#include "net/tls_client.h"
#include "upstream/link.h"
#include "upstream/pool.h"

namespace yett::upstream {

class UpstreamConnection final : public Link {
 public:
  /// The index of an endpoint that the cluster no longer has.
  static constexpr size_t kGone = SIZE_MAX;
  /// `endpoint`: its index in the pool. `offers`: what it may speak; `expects`: what it probably will.
  UpstreamConnection(Pool& pool, net::EventLoop& loop, size_t endpoint, Speaks offers, Speaks expects);
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
  /// It no longer waits; nothing: it did not.
  std::optional<Pool::Waiter> forget(PoolUser& user);
  /// Not open yet, and not too many wait.
  bool takesWaiters() const;
  const std::string& endpoint() const { return where()->name; }
  size_t endpointIndex() const { return endpoint_; }
  /// The endpoints have changed.
  void moveTo(size_t endpoint);
  /// No new exchange starts: the cluster's settings have changed.
  void outdate() { old_ = true; }
  /// Ends what is under way if `tls` (null: plaintext) would not accept the service.
  void endUnlessAccepted(const net::TlsClient* tls);
  /// It is open, and the service has shown that it speaks its protocol.
  bool ready() const { return opened_ && isOpen(); }
  /// The endpoint is there no more, or the settings have changed.
  bool old() const { return old_ || endpoint_ == kGone; }
  void began();
  void ended(int64_t trial);
  void failed(const std::string& why, int64_t trial);
  void succeeded(int64_t trial);
  void brokeOff(const std::string& why, int64_t trial);
  void completed(int64_t trial);
  void disclaim(int64_t trial);
  ClusterLoad& load() { return *pool_.cluster().load; }
  /// Its service may be gone: probes it, and ends all in-flight exchanges if it does not answer within five seconds.
  void suspect();
  void rest(base::Millis limit);
  void wake();
  /// Before an HTTP/1.1 response: reads only little of it until its caller takes some.
  void beginExchange() { limitNextRead(16 << 10); }
  void limitNextRead(size_t bytes) {
    if (!http2() && connection_) connection_->limitNextRead(bytes);
  }
  size_t heldBytes() const { return connection_ ? connection_->heldBytes() : 0; }
  bool usable() const { return ready() && !old() && codec_->room() > 0 && trusted(); }
  /// Closes immediately.
  void close();
  /// Closes gracefully; still counts until the service has closed too, at most a second. REQUIRES: no exchange is in
  /// flight.
  void end();

  size_t onData(std::string_view bytes) override;
  void onDrained() override;
  void onTimeout() override;
  void onClosed(std::string_view why) override;

 protected:
  void onLinked() override;
  void onBatch() override { settle(); }

 private:
  friend class Lease;
  void settle();
  void keepAlive();
  void opened();
  void lendToWaiting();
  void passWaitingOn(const std::string& why);
  bool awaitAnswer();
  void endDoubt();
  Pool& pool_;
  size_t endpoint_;
  bool old_ = false;
  std::vector<Pool::Waiter> waiting_;
  bool opened_ = false;
  bool doubted_ = false;  // a PING is not answered yet
  bool silent_ = false;   // or was not in time
  bool resting_ = false;
  bool probe_timed_ = false;  // the timer is for the answer to a probe
};

}  // namespace yett::upstream
