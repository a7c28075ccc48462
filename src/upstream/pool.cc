#include "upstream/pool.h"

#include <algorithm>

#include "upstream/upstream_connection.h"

namespace yett::upstream {

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    release();
    connection_ = std::exchange(other.connection_, nullptr);
    stream_ = std::exchange(other.stream_, nullptr);
    fresh_ = other.fresh_;
  }
  return *this;
}

http::ClientStream& Lease::open(http::ResponseHandler& handler) {
  connection_->beginExchange();
  stream_ = &connection_->codec().open(handler);
  return *stream_;
}

void Lease::release() {
  UpstreamConnection* connection = std::exchange(connection_, nullptr);
  http::ClientStream* stream = std::exchange(stream_, nullptr);
  if (connection == nullptr) return;
  if (stream != nullptr) connection->codec().close(*stream);
  connection->pool_.giveBack(*connection);
}

const std::string& Lease::endpoint() const {
  return connection_->endpoint();
}
void Lease::limitNextRead(size_t bytes) const {
  connection_->limitNextRead(bytes);
}
size_t Lease::heldBytes() const {
  if (connection_ == nullptr || stream_ == nullptr) return 0;
  return connection_->http2() ? stream_->heldBytes() : connection_->heldBytes();
}
void Lease::suspect() const {
  connection_->codec().leave();
}
bool Lease::http2() const {
  return connection_->http2();
}

Pool::Pool(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, const http::Limits& limits,
           net::Gate& descriptors)
    : loop_(loop), cluster_(std::move(cluster)), limits_(limits), descriptors_(descriptors) {}

Pool::~Pool() = default;

bool Pool::shares(bool http2) const {
  const auto protocol = cluster_->config.protocol;
  return protocol == Protocol::kAuto ? http2 : protocol == Protocol::kHttp2;
}

void Pool::acquire(PoolUser& user, Wanted wanted) {
  const bool http2 = shares(wanted.http2);
  const bool fresh = wanted.fresh || (http2 && wanted.alone);
  const size_t endpoints = cluster_->endpoints.size();
  if (http2 && !fresh) {
    // Endpoints have their turns; each has as few connections as its limit of streams allows.
    if (UpstreamConnection* connection = sharedFor(next_endpoint_ % endpoints, false)) {
      ++next_endpoint_;
      connection->wake();
      return user.onLease(Lease(*connection, false));
    }
  }
  while (!http2 && !fresh && !idle_.empty()) {
    UpstreamConnection* connection = idle_.back();
    idle_.pop_back();
    if (!connection->usable()) continue;
    connection->wake();
    return user.onLease(Lease(*connection, false));
  }
  connect({&user, endpoints - 1, next_endpoint_++ % endpoints, http2 && wanted.alone}, http2);
}

UpstreamConnection* Pool::sharedFor(size_t endpoint, bool connecting) const {
  for (auto* connection : shared_) {
    if (connection->endpoint() != cluster_->endpoints[endpoint].name) continue;
    if (connecting ? connection->takesWaiters() : connection->usable()) return connection;
  }
  return nullptr;
}

void Pool::connect(Waiter waiter, bool http2) {
  // Many that wait for one endpoint share what is being connected for the first of them.
  if (UpstreamConnection* connection = http2 && !waiter.alone ? sharedFor(waiter.endpoint, true) : nullptr)
    return connection->await(waiter);
  if (full()) {
    // Another endpoint's connection may have room, though it was not its turn.
    for (size_t i = 0; http2 && !waiter.alone && i < cluster_->endpoints.size(); ++i) {
      if (UpstreamConnection* connection = sharedFor(i, true)) return connection->await(waiter);
      if (UpstreamConnection* connection = sharedFor(i, false)) {
        connection->wake();
        return waiter.user->onLease(Lease(*connection, false));
      }
    }
    return waiter.user->onNoUpstream("the cluster has all the connections that its `max_connections` lets it have");
  }
  // Large heads may have some of the cluster's connections, not all.
  const auto most_alone = std::max<size_t>(8, static_cast<size_t>(cluster_->config.max_connections) / 16);
  if (waiter.alone && alone_ >= most_alone)
    return waiter.user->onNoUpstream(
        "the cluster has all the connections for heads over `max_request_head` that it may have");
  if (!descriptors_.enter())
    return waiter.user->onNoUpstream("the process has all the descriptors that it may have (RLIMIT_NOFILE)");
  const Endpoint& endpoint = cluster_->endpoints[waiter.endpoint];
  auto connection = std::make_unique<UpstreamConnection>(*this, loop_, endpoint, limits_, http2);
  UpstreamConnection& made = *connection;
  connections_.emplace(&made, std::move(connection));
  made.alone = waiter.alone;
  if (made.alone) ++alone_;
  if (http2 && !waiter.alone) shared_.push_back(&made);
  made.await(waiter);
  made.connect();
}

bool Pool::full() const {
  return connections_.size() - closing_ >= static_cast<size_t>(cluster_->config.max_connections);
}

void Pool::retry(const Waiter& waiter, bool http2, const std::string& why) {
  if (waiter.attempts_left == 0) return waiter.user->onNoUpstream(why);
  connect({waiter.user, waiter.attempts_left - 1, (waiter.endpoint + 1) % cluster_->endpoints.size(), waiter.alone},
          http2);
}

void Pool::cancel(PoolUser& user) {
  const auto it = waits_.find(&user);
  if (it == waits_.end()) return;
  it->second->forget(user);
  waits_.erase(it);
}

void Pool::giveBack(UpstreamConnection& connection) {
  http::ClientCodec& codec = connection.codec();
  if (!codec.idle()) {
    // Other exchanges are under way, or this one ended badly.
    if (!connection.http2()) connection.close();
    return;
  }
  if (codec.spent() || retired_ || connection.alone) return connection.close();
  connection.rest(cluster_->config.idle_timeout);
  if (!connection.http2()) idle_.push_back(&connection);
}

void Pool::closed(const UpstreamConnection& connection) {
  ++closing_;
  if (connection.alone) --alone_;
}

void Pool::remove(UpstreamConnection& connection) {
  std::erase(idle_, &connection);
  std::erase(shared_, &connection);
  const auto it = connections_.find(&connection);
  if (it == connections_.end()) return;
  --closing_;
  loop_.destroyLater(std::move(it->second));
  connections_.erase(it);
  descriptors_.leave();
}

void Pool::retire() {
  retired_ = true;
  std::vector<UpstreamConnection*> resting = std::exchange(idle_, {});
  for (auto* connection : shared_) {
    if (connection->usable() && connection->codec().idle()) resting.push_back(connection);
  }
  for (auto* connection : resting) connection->close();
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
    if (!pools_.contains(name)) pools_.emplace(name, std::make_unique<Pool>(loop_, cluster, limits_, descriptors_));
  }
  // A connection's callbacks name its pool, so a pool goes only when its last connection has been destroyed.
  std::erase_if(retired_, [](const auto& pool) { return pool->empty(); });
}

Pool* Pools::find(const std::string& cluster) {
  const auto it = pools_.find(cluster);
  return it == pools_.end() ? nullptr : it->second.get();
}

}  // namespace yett::upstream
