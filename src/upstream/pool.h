// Connections of one loop to one cluster: kept alive, handed out exchange by exchange. Each exchange goes to the next
// endpoint (Balancer), over an existing connection to it or a new one. HTTP/1.1 connections carry one exchange at a
// time, HTTP/2 connections many.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "http/client_codec.h"
#include "http/limits.h"
#include "net/connection.h"
#include "net/listener.h"
#include "upstream/balancer.h"
#include "upstream/cluster.h"
#include "upstream/endpoint_states.h"
#include "upstream/lease.h"
#include "upstream/notice.h"

namespace yett::upstream {

class UpstreamConnection;

/// A user that wants a connection. Called on the pool's loop, maybe before acquire() returns.
class PoolUser {
 public:
  virtual ~PoolUser() = default;
  /// Must open the exchange now, or the lease goes back.
  virtual void onLease(Lease lease) = 0;
  enum class Lack : uint8_t {
    kUnreachable,
    kOverflow,   ///< a limit of the cluster
    kUntrusted,  ///< the last endpoint that was tried is not who it should be
  };
  /// No connection is available.
  virtual void onNoUpstream(const std::string& why, Lack lack) = 0;
};

///   a connection    is in                           next
///   connecting      connections_, shared_ (HTTP/2)  lent to those who wait, or closed: they are retried elsewhere
///   lent            connections_, shared_ (HTTP/2)  resting (giveBack), closed
///   resting         and idle_ (HTTP/1.1)            lent, closed (idle_timeout, retire)
///   closed          connections_, until forgotten   - (counted by closing_)
class Pool {
 public:
  /// `descriptors`: entered for each connection.
  Pool(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, const http::Limits& limits, net::Gate& descriptors,
       Told told);
  ~Pool();
  Pool(const Pool&) = delete;

  struct Wanted {
    bool fresh = false;                ///< always a new connection
    bool http2 = false;                ///< the caller speaks HTTP/2
    bool websocket = false;            ///< the request becomes a tunnel
    bool alone = false;                ///< over HTTP/2: a connection that is not shared
    std::optional<uint64_t> key = {};  ///< of ring_hash
    const Endpoint* avoid = nullptr;   ///< an endpoint that has just failed: another one, if there is one
  };
  /// Gets a connection to the next endpoint, one with room or a new one; if that fails, tries the endpoint after it.
  void acquire(PoolUser& user, const Wanted& wanted);
  /// Whether a caller with this protocol may share its connection with others.
  bool shares(bool http2) const;
  /// The cluster of a new generation. Connections stay if the settings allow it, endpoints keep their state.
  void replace(std::shared_ptr<const Cluster> cluster);
  /// `user` no longer waits.
  void cancel(PoolUser& user);
  const Cluster& cluster() const { return *cluster_; }
  /// Closes idle connections; those in use close when they are given back.
  void retire();
  bool empty() const { return connections_.empty(); }

 private:
  friend class UpstreamConnection;
  friend class Lease;
  /// A user that waits for a connection, and how many more endpoints may be tried for it.
  struct Waiter {
    PoolUser* user;
    size_t attempts_left;
    size_t endpoint;  // being tried
    Speaks speaks;    // kUnknown: whatever is negotiated
    bool fresh;
    bool alone;
    int64_t trial = 0;  // its claim, if it tries its endpoint out
  };
  /// Chooses an endpoint for it. REQUIRES: there is one.
  void choose(Waiter& waiter, const Wanted& wanted);
  /// Gives up its claim, because it will not be sent to its endpoint.
  void leaveTrial(Waiter& waiter);
  void overflow(Waiter waiter, const std::string& why);
  Speaks expected(const Waiter& waiter) const;
  /// Uses an existing connection to its endpoint, else connect().
  void serve(Waiter waiter);
  void connect(Waiter waiter);
  UpstreamConnection& makeConnection(const Waiter& waiter);
  bool full() const;
  void addWait(PoolUser& user, UpstreamConnection& connection);
  /// Whether it was waiting.
  bool endWait(PoolUser& user);
  /// If no more connections are allowed: uses one to another endpoint, or replaces an idle one. Else onNoUpstream().
  void serveFull(Waiter waiter);
  /// Tries the next endpoint, if one is left.
  void retry(Waiter waiter, const std::string& why, bool untrusted);
  void lend(const Waiter& waiter, UpstreamConnection& connection);
  UpstreamConnection* restingAt(size_t endpoint);
  UpstreamConnection* sharedFor(size_t endpoint, bool connecting) const;
  void giveBack(UpstreamConnection& connection);
  /// It has closed: it no longer counts towards limits.
  void closed(const UpstreamConnection& connection);
  /// Its protocol is known.
  void settled(UpstreamConnection& connection);
  void unreachable(size_t endpoint, const std::string& why, bool untrusted);
  void adopt();
  void endOld();
  Speaks speaksFor(bool http2, bool websocket) const;
  void makeBalancer();
  /// Ends some of its idle connections if other loops need the room.
  void relieve();
  void tell(Notice notice, size_t endpoint, const std::string& why) const;
  void remove(UpstreamConnection& connection);

  net::EventLoop& loop_;
  std::shared_ptr<const Cluster> cluster_;
  const http::Limits base_limits_;
  std::shared_ptr<const http::Limits> limits_;
  net::Gate& descriptors_;
  std::map<UpstreamConnection*, std::unique_ptr<UpstreamConnection>> connections_;
  std::vector<std::vector<UpstreamConnection*>> idle_;        // HTTP/1.1, by endpoint; the last used is used next
  std::vector<UpstreamConnection*> shared_;                   // HTTP/2, in use or not
  std::unordered_map<PoolUser*, UpstreamConnection*> waits_;  // which user waits for which connection
  // Unshared HTTP/2 connections in connections_ that have not closed. Closed ones do not count, since a user that
  // waited for one may get another in its place.
  size_t alone_ = 0;
  size_t closing_ = 0;  // closed, and about to be forgotten
  const Told told_;
  uint64_t version_ = 0;  // of the endpoints
  std::shared_ptr<const Endpoints> endpoints_ = std::make_shared<const Endpoints>();
  std::vector<bool> untrusted_;  // endpoints that were told to be
  EndpointStates states_;
  std::unique_ptr<Balancer> balancer_;
  bool retired_ = false;
  net::Timer relief_timer_{[this] { relieve(); }};
};

}  // namespace yett::upstream
