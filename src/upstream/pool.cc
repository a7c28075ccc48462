#include "upstream/pool.h"

#include <algorithm>

#include "base/check.h"
#include "upstream/upstream_connection.h"

namespace yett::upstream {

static http::Limits limitsOf(http::Limits limits, const ClusterConfig& config) {
  limits.head_bytes = config.max_response_head;
  limits.header_count = static_cast<size_t>(config.max_response_fields);
  return limits;
}

template <typename Field>
static auto ofEndpoints(const Cluster& cluster, Field Endpoint::*field) {
  std::vector<Field> out;
  for (const auto& endpoint : cluster.endpoints) out.push_back(endpoint.*field);
  return out;
}

// What tells the addresses of one name apart.
static std::vector<std::string> namesOf(const Cluster& cluster) {
  std::vector<std::string> out;
  for (const auto& endpoint : cluster.endpoints) out.push_back(endpoint.name + " " + endpoint.address.toString());
  return out;
}

Pool::Pool(net::EventLoop& loop, std::shared_ptr<const Cluster> cluster, const http::Limits& limits,
           net::Gate& descriptors, Told told)
    : loop_(loop),
      cluster_(std::move(cluster)),
      limits_(limitsOf(limits, cluster_->config)),
      descriptors_(descriptors),
      idle_(cluster_->endpoints.size()),
      told_(std::move(told)),
      states_(cluster_->endpoints.size(), cluster_->config.outliers,
              [this](size_t endpoint, bool out, const std::string& why) {
                if (told_) told_(*cluster_, cluster_->endpoints[endpoint].name, out, why);
              }),
      balancer_(cluster_->config.balance, namesOf(*cluster_), ofEndpoints(*cluster_, &Endpoint::weight), states_) {}

Pool::~Pool() = default;

bool Pool::shares(bool http2) const {
  const auto protocol = cluster_->config.protocol;
  return protocol == Protocol::kAuto ? http2 : protocol == Protocol::kHttp2;
}

void Pool::acquire(PoolUser& user, Wanted wanted) {
  loop_.assertInLoop();
  YETT_CHECK(!waits_.contains(&user));
  const ClusterLoad& load = *cluster_->load;
  if (load.requests + load.pending >= cluster_->config.breakers.max_requests)
    return user.onNoUpstream("the cluster has reached its `max_requests`", true);
  const bool http2 = shares(wanted.http2);
  const bool alone = http2 && wanted.alone;
  size_t endpoint = balancer_.next(loop_.nowMillis(), wanted.key);
  if (wanted.avoid == endpoint) endpoint = balancer_.other(endpoint, loop_.nowMillis());
  serve({.user = &user,
         .attempts_left = cluster_->endpoints.size() - 1,
         .endpoint = endpoint,
         .http2 = http2,
         .fresh = wanted.fresh || alone,
         .alone = alone});
}

void Pool::serve(Waiter waiter) {
  UpstreamConnection* connection = nullptr;
  if (!waiter.fresh) connection = waiter.http2 ? sharedFor(waiter.endpoint, false) : restingAt(waiter.endpoint);
  if (connection != nullptr) lend(waiter, *connection);
  else connect(waiter);
}

void Pool::lend(const Waiter& waiter, UpstreamConnection& connection) {
  connection.wake();
  waiter.user->onLease(Lease(connection, false));
}

UpstreamConnection* Pool::restingAt(size_t endpoint) {
  auto& idle = idle_[endpoint];
  while (!idle.empty()) {
    UpstreamConnection* connection = idle.back();
    idle.pop_back();
    if (connection->usable()) return connection;
  }
  return nullptr;
}

UpstreamConnection* Pool::sharedFor(size_t endpoint, bool connecting) const {
  for (auto* connection : shared_) {
    if (connection->endpointIndex() != endpoint) continue;
    if (connecting ? connection->takesWaiters() : connection->usable()) return connection;
  }
  return nullptr;
}

void Pool::connect(Waiter waiter) {
  if (cluster_->load->pending >= cluster_->config.breakers.max_pending_requests)
    return waiter.user->onNoUpstream("the cluster has reached its `max_pending_requests`", true);
  // Users that wait for one endpoint share the connection that is being made for the first of them.
  if (UpstreamConnection* connection = waiter.http2 && !waiter.alone ? sharedFor(waiter.endpoint, true) : nullptr)
    return connection->await(waiter);
  if (full()) return serveFull(waiter);
  // Large heads may use some of the cluster's connections, not all.
  const auto most_alone = std::max<size_t>(8, static_cast<size_t>(cluster_->config.breakers.max_connections) / 16);
  if (waiter.alone && alone_ >= most_alone)
    return waiter.user->onNoUpstream(
        "the cluster has reached its limit of connections for heads over `max_request_head`", true);
  if (!descriptors_.enter())
    return waiter.user->onNoUpstream("the process has reached its limit of descriptors (RLIMIT_NOFILE)", false);
  UpstreamConnection& made = makeConnection(waiter);
  made.await(waiter);
  made.connect();
}

UpstreamConnection& Pool::makeConnection(const Waiter& waiter) {
  auto connection = std::make_unique<UpstreamConnection>(*this, loop_, waiter.endpoint, limits_, waiter.http2);
  UpstreamConnection& made = *connection;
  connections_.emplace(&made, std::move(connection));
  ++cluster_->load->connections;
  made.alone = waiter.alone;
  if (made.alone) ++alone_;
  if (waiter.http2 && !waiter.alone) shared_.push_back(&made);
  return made;
}

void Pool::serveFull(Waiter waiter) {
  const size_t endpoints = cluster_->endpoints.size();
  for (size_t i = 0; i < endpoints; ++i) {
    if (waiter.http2 && !waiter.alone) {
      if (UpstreamConnection* connection = sharedFor(i, true)) return connection->await(waiter);
      if (UpstreamConnection* connection = sharedFor(i, false)) return lend(waiter, *connection);
    }
    UpstreamConnection* resting = waiter.http2 ? nullptr : restingAt(i);
    if (resting == nullptr) continue;
    if (!waiter.fresh) return lend(waiter, *resting);
    resting->close();  // makes room
    return connect(waiter);
  }
  waiter.user->onNoUpstream("the cluster has reached its `max_connections`", true);
}

bool Pool::full() const {
  return cluster_->load->connections >= cluster_->config.breakers.max_connections;
}

void Pool::retry(Waiter waiter, const std::string& why) {
  if (waiter.attempts_left == 0) return waiter.user->onNoUpstream(why, false);
  --waiter.attempts_left;
  waiter.endpoint = balancer_.after(waiter.endpoint, loop_.nowMillis());
  serve(waiter);
}

void Pool::cancel(PoolUser& user) {
  const auto it = waits_.find(&user);
  if (it == waits_.end()) return;
  it->second->forget(user);
  endWait(user);
}

void Pool::addWait(PoolUser& user, UpstreamConnection& connection) {
  if (waits_.insert_or_assign(&user, &connection).second) ++cluster_->load->pending;
}

bool Pool::endWait(PoolUser& user) {
  const bool waited = waits_.erase(&user) > 0;
  if (waited) --cluster_->load->pending;
  return waited;
}

void Pool::giveBack(UpstreamConnection& connection) {
  http::ClientCodec& codec = connection.codec();
  if (!codec.idle()) {
    // Other exchanges are in flight, or this one ended badly.
    if (!connection.http2()) connection.close();
    return;
  }
  if (codec.spent() || retired_ || connection.alone) return connection.close();
  connection.rest(cluster_->config.idle_timeout);
  if (!connection.http2()) idle_[connection.endpointIndex()].push_back(&connection);
}

void Pool::closed(const UpstreamConnection& connection) {
  ++closing_;
  --cluster_->load->connections;
  if (connection.alone) --alone_;
}

void Pool::remove(UpstreamConnection& connection) {
  std::erase(idle_[connection.endpointIndex()], &connection);
  std::erase(shared_, &connection);
  const auto it = connections_.find(&connection);
  if (it == connections_.end()) return;
  YETT_CHECK(closing_ > 0);
  --closing_;
  loop_.destroyLater(std::move(it->second));
  connections_.erase(it);
  descriptors_.leave();
}

void Pool::retire() {
  retired_ = true;
  std::vector<UpstreamConnection*> resting;
  for (auto& idle : idle_) {
    resting.insert(resting.end(), idle.begin(), idle.end());
    idle.clear();
  }
  for (auto* connection : shared_) {
    if (connection->usable() && connection->codec().idle()) resting.push_back(connection);
  }
  for (auto* connection : resting) connection->end();
}

}  // namespace yett::upstream
