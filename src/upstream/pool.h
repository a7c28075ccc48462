// Connections of one loop to one cluster: kept alive, handed out one exchange at a time, balanced round robin.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/h1_client.h"
#include "net/connection.h"
#include "upstream/cluster.h"

namespace yett::upstream {

class Pool;
class UpstreamConnection;

/// Leave to use one upstream connection for one exchange. Given back by its destructor: to the pool where the exchange
/// is over and clean, else it is closed.
class Lease {
 public:
  Lease() = default;
  Lease(UpstreamConnection& connection, bool fresh) : connection_(&connection), fresh_(fresh) {}
  Lease(Lease&& other) noexcept : connection_(std::exchange(other.connection_, nullptr)), fresh_(other.fresh_) {}
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }
  void release();
  explicit operator bool() const { return connection_ != nullptr; }
  http::H1Client& stream() const;
  const std::string& endpoint() const;
  /// Made for this exchange: nobody used it before.
  bool fresh() const { return fresh_; }

 private:
  UpstreamConnection* connection_ = nullptr;
  bool fresh_ = false;
};

/// Who wants a connection. Called on the pool's loop, maybe before acquire() returns.
class PoolUser {
 public:
  virtual ~PoolUser() = default;
  virtual void onLease(Lease lease) = 0;
  /// No endpoint took a connection.
  virtual void onNoUpstream(const std::string& why) = 0;
};

class Pool {
 public:
  Pool(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, const http::Limits& limits);
  ~Pool();
  Pool(const Pool&) = delete;

  /// An idle connection, or a new one (always, where `fresh`).
  void acquire(PoolUser& user, bool fresh);
  /// `user` no longer waits.
  void cancel(PoolUser& user);
  const Cluster& cluster() const { return *cluster_; }
  /// Closes idle connections; those in use close when they are given back.
  void retire();
  bool empty() const { return connections_.empty(); }

 private:
  friend class UpstreamConnection;
  friend class Lease;
  void connect(PoolUser& user, size_t attempts_left);
  void giveBack(UpstreamConnection& connection);
  void remove(UpstreamConnection& connection);

  net::EventLoop& loop_;
  const std::shared_ptr<const Cluster> cluster_;
  const http::Limits limits_;
  std::map<UpstreamConnection*, std::unique_ptr<UpstreamConnection>> connections_;
  std::vector<UpstreamConnection*> idle_;  // the last used is used next
  size_t next_endpoint_ = 0;
  bool retired_ = false;
};

/// The pools of one loop. They survive a reload where the cluster's settings are the same.
class Pools {
 public:
  Pools(net::EventLoop& loop, const http::Limits& limits) : loop_(loop), limits_(limits) {}
  /// Takes the clusters of a new generation.
  void update(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters);
  Pool* find(const std::string& cluster);

 private:
  net::EventLoop& loop_;
  const http::Limits limits_;
  std::map<std::string, std::unique_ptr<Pool>> pools_;
  std::vector<std::unique_ptr<Pool>> retired_;
};

}  // namespace yett::upstream
