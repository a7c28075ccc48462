#include "upstream/pool.h"

#include <algorithm>

#include "upstream/upstream_connection.h"

namespace yett::upstream {

static constexpr size_t kMostIdle = 256;  // per loop and cluster

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    connection_ = std::exchange(other.connection_, nullptr);
    fresh_ = other.fresh_;
  }
  return *this;
}

void Lease::release() {
  UpstreamConnection* connection = std::exchange(connection_, nullptr);
  if (connection == nullptr) return;
  connection->client().detach();
  connection->pool_.giveBack(*connection);
}

http::H1Client& Lease::stream() const {
  return connection_->client();
}
const std::string& Lease::endpoint() const {
  return connection_->endpoint();
}

Pool::Pool(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, const http::Limits& limits)
    : loop_(loop), cluster_(std::move(cluster)), limits_(limits) {}

Pool::~Pool() = default;

void Pool::acquire(PoolUser& user, bool fresh) {
  while (!fresh && !idle_.empty()) {
    UpstreamConnection* connection = idle_.back();
    idle_.pop_back();
    if (!connection->usable()) continue;
    connection->wake();
    return user.onLease(Lease(*connection, false));
  }
  connect(user, cluster_->endpoints.size() - 1);
}

void Pool::connect(PoolUser& user, size_t attempts_left) {
  const Endpoint& endpoint = cluster_->endpoints[next_endpoint_++ % cluster_->endpoints.size()];
  auto connection = std::make_unique<UpstreamConnection>(*this, loop_, endpoint, limits_);
  UpstreamConnection& made = *connection;
  connections_.emplace(&made, std::move(connection));
  made.connect(user, attempts_left);
}

void Pool::cancel(PoolUser& user) {
  for (const auto& [connection, owned] : connections_) {
    if (connection->waiting() == &user) connection->forgetUser();
  }
}

void Pool::giveBack(UpstreamConnection& connection) {
  const bool clean = connection.client().reusable() || connection.client().idle();
  if (!clean || retired_ || idle_.size() >= kMostIdle) return connection.close();
  connection.rest(cluster_->config.idle_timeout);
  idle_.push_back(&connection);
}

void Pool::remove(UpstreamConnection& connection) {
  idle_.erase(std::remove(idle_.begin(), idle_.end(), &connection), idle_.end());
  const auto it = connections_.find(&connection);
  if (it == connections_.end()) return;
  loop_.destroyLater(std::move(it->second));
  connections_.erase(it);
}

void Pool::retire() {
  retired_ = true;
  const auto idle = std::exchange(idle_, {});
  for (auto* connection : idle) connection->close();
}

void Pools::update(const std::map<std::string, std::shared_ptr<const Cluster>>& clusters) {
  for (auto it = pools_.begin(); it != pools_.end();) {
    const auto now = clusters.find(it->first);
    if (now != clusters.end() && now->second->config == it->second->cluster().config) {
      ++it;
      continue;
    }
    it->second->retire();
    retired_.push_back(std::move(it->second));
    it = pools_.erase(it);
  }
  for (const auto& [name, cluster] : clusters) {
    if (!pools_.contains(name)) pools_.emplace(name, std::make_unique<Pool>(loop_, cluster, limits_));
  }
  // A connection's callbacks name its pool, so a pool goes only when its last connection has been destroyed.
  std::erase_if(retired_, [](const auto& pool) { return pool->empty(); });
}

Pool* Pools::find(const std::string& cluster) {
  const auto it = pools_.find(cluster);
  return it == pools_.end() ? nullptr : it->second.get();
}

}  // namespace yett::upstream
