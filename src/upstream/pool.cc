#include "upstream/pool.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "upstream/upstream_connection.h"

namespace yett::upstream {

using enum PoolUser::Lack;

static constexpr base::Millis kRelief{500};

// kUnknown: the handshake decides, and may do so anew on each connection.
Speaks Pool::speaksFor(bool http2, bool websocket) const {
  switch (cluster_->config.protocol) {
    case Protocol::kHttp1: return Speaks::kHttp1;
    case Protocol::kHttp2: return Speaks::kHttp2;
    case Protocol::kAuto: break;
  }
  if (!cluster_->tls) return http2 ? Speaks::kHttp2 : Speaks::kHttp1;
  return websocket ? Speaks::kHttp1 : Speaks::kUnknown;  // few services take WebSockets over HTTP/2 (RFC 8441)
}

bool Pool::shares(bool http2) const {
  return speaksFor(http2, false) != Speaks::kHttp1;
}

void Pool::acquire(PoolUser& user, const Wanted& wanted) {
  loop_.assertInLoop();
  YETT_CHECK(!waits_.contains(&user));
  adopt();
  const ClusterLoad& load = *cluster_->load;
  if (load.requests + load.pending >= cluster_->config.breakers.max_requests)
    return user.onNoUpstream("the cluster has reached its `max_requests`", kOverflow);
  if (endpoints_->empty()) {
    const std::string why = cluster_->endpoints->problem();
    return user.onNoUpstream(why.empty() ? "no endpoint has been resolved yet" : why, kUnreachable);
  }
  const Speaks speaks = speaksFor(wanted.http2, wanted.websocket);
  const bool alone = speaks != Speaks::kHttp1 && wanted.alone;
  Waiter waiter{.user = &user,
                .attempts_left = endpoints_->size() - 1,
                .endpoint = 0,
                .speaks = speaks,
                .fresh = wanted.fresh || alone,
                .alone = alone};
  choose(waiter, wanted);
  serve(waiter);
}

void Pool::choose(Waiter& waiter, const Wanted& wanted) {
  const int64_t now = loop_.nowMillis();
  size_t endpoint = balancer_->next(now, wanted.key);
  if (wanted.avoid != nullptr && wanted.avoid == (*endpoints_)[endpoint].get())
    endpoint = balancer_->other(endpoint, now);
  auto claim = states_.claim(endpoint, now);
  if (claim.taken) {
    endpoint = balancer_->other(endpoint, now);
    claim = states_.claim(endpoint, now);
  }
  waiter.endpoint = endpoint;
  waiter.trial = claim.trial;
}

void Pool::leaveTrial(Waiter& waiter) {
  const int64_t trial = std::exchange(waiter.trial, 0);
  if (trial != 0 && waiter.endpoint < endpoints_->size()) states_.disclaim(waiter.endpoint, trial);
}

void Pool::overflow(Waiter waiter, const std::string& why) {
  leaveTrial(waiter);
  waiter.user->onNoUpstream(why, kOverflow);
}

// REQUIRES: the waiter's endpoint is there.
Speaks Pool::expected(const Waiter& waiter) const {
  return waiter.speaks == Speaks::kUnknown ? states_.speaks(waiter.endpoint) : waiter.speaks;
}

void Pool::serve(Waiter waiter) {
  if (waiter.endpoint >= endpoints_->size()) {  // it has gone while the user waited
    if (endpoints_->empty()) return waiter.user->onNoUpstream("the cluster has no endpoints now", kUnreachable);
    waiter.endpoint = balancer_->next(loop_.nowMillis(), std::nullopt);
    waiter.trial = 0;
  }
  if (waiter.speaks == Speaks::kUnknown && !cluster_->tls)  // a reload has switched TLS off
    waiter.speaks = cluster_->config.protocol == Protocol::kHttp2 ? Speaks::kHttp2 : Speaks::kHttp1;
  const Speaks expects = expected(waiter);
  UpstreamConnection* connection = nullptr;
  if (!waiter.fresh && expects != Speaks::kHttp1) connection = sharedFor(waiter.endpoint, false);
  if (!waiter.fresh && expects != Speaks::kHttp2 && connection == nullptr) connection = restingAt(waiter.endpoint);
  if (connection != nullptr) lend(waiter, *connection);
  else connect(waiter);
}

void Pool::lend(const Waiter& waiter, UpstreamConnection& connection) {
  connection.wake();
  waiter.user->onLease(Lease(connection, false, connection.endpointIndex() == waiter.endpoint ? waiter.trial : 0));
}

UpstreamConnection* Pool::restingAt(size_t endpoint) {
  auto& idle = idle_[endpoint];
  while (!idle.empty()) {
    UpstreamConnection* connection = idle.back();
    idle.pop_back();
    if (connection->usable()) return connection;
    connection->end();  // its certificate has expired
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
    return overflow(waiter, "the cluster has reached its `max_pending_requests`");
  // Users that wait for one endpoint share the connection that is being made for the first of them.
  const bool shares = expected(waiter) != Speaks::kHttp1 && !waiter.alone;
  if (UpstreamConnection* connection = shares ? sharedFor(waiter.endpoint, true) : nullptr)
    return connection->await(waiter);
  if (full()) return serveFull(waiter);
  // Large heads may use some of the cluster's connections, not all.
  const auto most_alone = std::max<size_t>(8, static_cast<size_t>(cluster_->config.breakers.max_connections) / 16);
  if (waiter.alone && alone_ >= most_alone)
    return overflow(waiter, "the cluster has reached its limit of connections for heads over `max_request_head`");
  if (!descriptors_.enter()) {
    leaveTrial(waiter);
    return waiter.user->onNoUpstream("the process has reached its limit of descriptors (RLIMIT_NOFILE)", kUnreachable);
  }
  UpstreamConnection& made = makeConnection(waiter);
  made.await(waiter);
  made.connect();
}

UpstreamConnection& Pool::makeConnection(const Waiter& waiter) {
  const Speaks expects = expected(waiter);
  auto connection = std::make_unique<UpstreamConnection>(*this, loop_, waiter.endpoint, waiter.speaks, expects);
  UpstreamConnection& made = *connection;
  connections_.emplace(&made, std::move(connection));
  ++cluster_->load->connections;
  made.alone = waiter.alone;
  if (made.alone) ++alone_;
  if (expects != Speaks::kHttp1 && !waiter.alone) shared_.push_back(&made);
  return made;
}

void Pool::serveFull(Waiter waiter) {
  leaveTrial(waiter);  // it goes to another endpoint, or nowhere
  const int64_t now = loop_.nowMillis();
  bool any = false;  // may get requests
  std::vector<size_t> others;
  for (size_t n = 0; n < endpoints_->size(); ++n) {
    const size_t i = (waiter.endpoint + n) % endpoints_->size();
    if (!balancer_->takes(i, now, any)) {
      others.push_back(i);
      continue;
    }
    const Speaks speaks = waiter.speaks == Speaks::kUnknown ? states_.speaks(i) : waiter.speaks;
    if (speaks != Speaks::kHttp1 && !waiter.alone) {
      if (UpstreamConnection* connection = sharedFor(i, true)) {
        waiter.endpoint = i;
        return connection->await(waiter);
      }
      if (UpstreamConnection* connection = sharedFor(i, false)) return lend(waiter, *connection);
    }
    UpstreamConnection* resting = speaks == Speaks::kHttp2 ? nullptr : restingAt(i);
    if (resting == nullptr) continue;
    if (!waiter.fresh) return lend(waiter, *resting);
    resting->close();  // makes room
    return connect(waiter);
  }
  for (const size_t i : others) {  // idle connections to endpoints that get nothing now
    UpstreamConnection* resting = restingAt(i);
    if (resting == nullptr) continue;
    resting->close();
    return connect(waiter);
  }
  cluster_->load->crowded_at = now;
  cluster_->load->crowded_by = this;
  overflow(waiter, "the cluster has reached its `max_connections`");
}

// All loops share `max_connections`, but each can use only its own connections.
void Pool::relieve() {
  if (std::all_of(idle_.begin(), idle_.end(), [](const auto& idle) { return idle.empty(); })) return;
  loop_.schedule(relief_timer_, kRelief);
  const ClusterLoad& load = *cluster_->load;
  if (load.crowded_by == this || loop_.nowMillis() - load.crowded_at > 2 * kRelief.count() || !full()) return;
  std::vector<UpstreamConnection*> spare;  // half of them, the oldest
  for (auto& idle : idle_) {
    const auto half = idle.begin() + static_cast<std::ptrdiff_t>((idle.size() + 1) / 2);
    spare.insert(spare.end(), idle.begin(), half);
    idle.erase(idle.begin(), half);
  }
  for (auto* connection : spare) connection->end();
}

bool Pool::full() const {
  return cluster_->load->connections >= cluster_->config.breakers.max_connections;
}

void Pool::retry(Waiter waiter, const std::string& why, bool untrusted) {
  if (waiter.endpoint >= endpoints_->size()) return serve(waiter);  // it has gone: that says nothing about the others
  leaveTrial(waiter);
  if (waiter.attempts_left == 0) return waiter.user->onNoUpstream(why, untrusted ? kUntrusted : kUnreachable);
  --waiter.attempts_left;
  waiter.endpoint = balancer_->after(waiter.endpoint, loop_.nowMillis());
  waiter.trial = states_.claim(waiter.endpoint, loop_.nowMillis()).trial;
  serve(waiter);
}

void Pool::cancel(PoolUser& user) {
  const auto it = waits_.find(&user);
  if (it == waits_.end()) return;
  if (auto waiter = it->second->forget(user)) leaveTrial(*waiter);
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
  if (connection.old()) return connection.end();
  if (codec.spent() || retired_ || connection.alone) return connection.close();
  connection.rest(cluster_->config.idle_timeout);
  if (connection.http2()) return;
  idle_[connection.endpointIndex()].push_back(&connection);
  if (!relief_timer_.waiting()) loop_.schedule(relief_timer_, kRelief);
}

void Pool::closed(const UpstreamConnection& connection) {
  ++closing_;
  --cluster_->load->connections;
  if (connection.alone) --alone_;
}

void Pool::remove(UpstreamConnection& connection) {
  if (connection.endpointIndex() < idle_.size()) std::erase(idle_[connection.endpointIndex()], &connection);
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
