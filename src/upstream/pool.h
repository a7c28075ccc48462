// Connections of one loop to one cluster: kept alive, handed out exchange by exchange. Each exchange goes to the
// endpoint whose turn it is (Balancer), over a connection that is kept for that endpoint or a new one. HTTP/1.1
// connections carry one exchange at a time, HTTP/2 ones many.
#pragma once

#include <map>
#include <memory>
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
#include "upstream/lease.h"

namespace yett::upstream {

class UpstreamConnection;

/// Who wants a connection. Called on the pool's loop, maybe before acquire() returns.
class PoolUser {
 public:
  virtual ~PoolUser() = default;
  /// The exchange is opened now, or the lease goes back.
  virtual void onLease(Lease lease) = 0;
  /// No endpoint took a connection.
  virtual void onNoUpstream(const std::string& why) = 0;
};

///   a connection    stands in                       goes to
///   connecting      connections_, shared_ (HTTP/2)  lent to those who wait, or closed: they are retried elsewhere
///   lent            connections_, shared_ (HTTP/2)  resting (giveBack), closed
///   resting         and idle_ (HTTP/1.1)            lent, closed (idle_timeout, retire)
///   closed          connections_, until forgotten   - (counted by closing_)
class Pool {
 public:
  /// `descriptors`: entered for each connection.
  Pool(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, const http::Limits& limits,
       net::Gate& descriptors);
  ~Pool();
  Pool(const Pool&) = delete;

  struct Wanted {
    bool fresh = false;  ///< a new connection in any case
    bool http2 = false;  ///< what the caller speaks
    bool alone = false;  ///< over HTTP/2: a connection that nobody shares
  };
  /// A connection with room to the endpoint whose turn it is, or a new one; where that fails, to the next.
  void acquire(PoolUser& user, Wanted wanted);
  /// Whether a caller that speaks so shares its connection with others.
  bool shares(bool http2) const;
  /// `user` no longer waits.
  void cancel(PoolUser& user);
  const Cluster& cluster() const { return *cluster_; }
  /// Closes idle connections; those in use close when they are given back.
  void retire();
  bool empty() const { return connections_.empty(); }

 private:
  friend class UpstreamConnection;
  friend class Lease;
  /// Who wants a connection, and how many more endpoints may be tried for it.
  struct Waiter {
    PoolUser* user;
    size_t attempts_left;
    size_t endpoint;  // that is tried
    bool http2;
    bool fresh;
    bool alone;
  };
  /// From what is kept for its endpoint, else connect().
  void serve(Waiter waiter);
  void connect(Waiter waiter);
  UpstreamConnection& makeConnection(const Waiter& waiter);
  bool full() const;
  /// Where no more connections are allowed: one to another endpoint, or the place of one that rests. Else tells it.
  void serveFull(Waiter waiter);
  /// The next endpoint's turn, where there is one left to try.
  void retry(Waiter waiter, const std::string& why);
  void lend(const Waiter& waiter, UpstreamConnection& connection);
  UpstreamConnection* restingAt(size_t endpoint);
  UpstreamConnection* sharedFor(size_t endpoint, bool connecting) const;
  void giveBack(UpstreamConnection& connection);
  /// It has closed: what it counted for is free.
  void closed(const UpstreamConnection& connection);
  void remove(UpstreamConnection& connection);

  net::EventLoop& loop_;
  const std::shared_ptr<const Cluster> cluster_;
  const http::Limits limits_;
  net::Gate& descriptors_;
  std::map<UpstreamConnection*, std::unique_ptr<UpstreamConnection>> connections_;
  std::vector<std::vector<UpstreamConnection*>> idle_;        // HTTP/1.1, by endpoint; the last used is used next
  std::vector<UpstreamConnection*> shared_;                   // HTTP/2, in use or not
  std::unordered_map<PoolUser*, UpstreamConnection*> waits_;  // who waits, and for which
  // Of connections_ that have not closed: those that nobody shares, over HTTP/2. Not those that are about to be
  // forgotten, since who waited for one may get another in its place.
  size_t alone_ = 0;
  size_t closing_ = 0;  // closed, and about to be forgotten
  Balancer balancer_;
  bool retired_ = false;
};

}  // namespace yett::upstream
