// Connections of one loop to one cluster: kept alive, handed out exchange by exchange, balanced round robin. HTTP/1.1
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
#include "upstream/cluster.h"

namespace yett::upstream {

class Pool;
class UpstreamConnection;

/// Leave to use one upstream connection for one exchange. Given back by its destructor: where the exchange is over and
/// clean the connection serves others, else an HTTP/1.1 connection is closed and an HTTP/2 stream reset.
class Lease {
 public:
  Lease() = default;
  Lease(UpstreamConnection& connection, bool fresh) : connection_(&connection), fresh_(fresh) {}
  Lease(Lease&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)),
        stream_(std::exchange(other.stream_, nullptr)),
        fresh_(other.fresh_) {}
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }
  /// Begins the exchange. Once.
  http::ClientStream& open(http::ResponseHandler& handler);
  void release();
  explicit operator bool() const { return connection_ != nullptr; }
  /// REQUIRES: open() was called.
  http::ClientStream& stream() const { return *stream_; }
  const std::string& endpoint() const;
  /// The next read of an HTTP/1.1 connection takes no more than this.
  void limitNextRead(size_t bytes) const;
  /// Bytes that are kept for this exchange; 0 without one.
  size_t heldBytes() const;
  /// The endpoint did not answer: no other exchange shall begin on this connection.
  void suspect() const;
  /// The connection speaks HTTP/2.
  bool http2() const;
  /// The connection was made for this exchange: nobody used it before.
  bool fresh() const { return fresh_; }

 private:
  UpstreamConnection* connection_ = nullptr;
  http::ClientStream* stream_ = nullptr;
  bool fresh_ = false;
};

/// Who wants a connection. Called on the pool's loop, maybe before acquire() returns.
class PoolUser {
 public:
  virtual ~PoolUser() = default;
  /// The exchange is opened now, or the lease goes back.
  virtual void onLease(Lease lease) = 0;
  /// No endpoint took a connection.
  virtual void onNoUpstream(const std::string& why) = 0;
};

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
  /// A connection with room, or a new one.
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
  /// Who waits for a connection, and how many more endpoints may be tried for it.
  struct Waiter {
    PoolUser* user;
    size_t attempts_left;
    size_t endpoint;  // that is tried
    bool alone = false;
  };
  void connect(Waiter waiter, bool http2);
  bool full() const;
  /// The next endpoint's turn, where there is one left to try.
  void retry(const Waiter& waiter, bool http2, const std::string& why);
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
  std::vector<UpstreamConnection*> idle_;                     // HTTP/1.1; the last used is used next
  std::vector<UpstreamConnection*> shared_;                   // HTTP/2, in use or not
  std::unordered_map<PoolUser*, UpstreamConnection*> waits_;  // who waits, and for which
  // Of connections_ that have not closed: those that nobody shares, over HTTP/2. Not those that are about to be
  // forgotten, since who waited for one may get another in its place.
  size_t alone_ = 0;
  size_t closing_ = 0;  // closed, and about to be forgotten
  size_t next_endpoint_ = 0;
  bool retired_ = false;
};

/// The pools of one loop. They survive a reload where the cluster's settings are the same.
class Pools {
 public:
  Pools(net::EventLoop& loop, const http::Limits& limits, net::Gate& descriptors)
      : loop_(loop), limits_(limits), descriptors_(descriptors) {}
  /// Takes the clusters of a new generation.
  void update(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters);
  Pool* find(const std::string& cluster);

 private:
  net::EventLoop& loop_;
  const http::Limits limits_;
  net::Gate& descriptors_;
  std::map<std::string, std::unique_ptr<Pool>> pools_;
  std::vector<std::unique_ptr<Pool>> retired_;
};

}  // namespace yett::upstream
