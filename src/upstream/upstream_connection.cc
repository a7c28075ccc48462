#include "upstream/upstream_connection.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace yett::upstream {

static constexpr base::Millis kProbeAnswer{5000};
static constexpr const char* kNoRequests = ": the service takes no requests";

UpstreamConnection::UpstreamConnection(Pool& pool, net::EventLoop& loop, size_t endpoint, Speaks offers, Speaks expects)
    : Link(loop, (*pool.endpoints_)[endpoint], pool.cluster().tls, pool.limits_, offers, expects),
      pool_(pool),
      endpoint_(endpoint) {
  where()->health->connections.fetch_add(1, std::memory_order_relaxed);
}

UpstreamConnection::~UpstreamConnection() {
  where()->health->connections.fetch_sub(1, std::memory_order_relaxed);
}

void UpstreamConnection::connect() {
  const ClusterConfig& config = pool_.cluster().config;
  pool_.states_.trying(endpoint_, loop_.nowMillis(), config.connect_timeout.count());
  begin(config.tls, config.connect_timeout);
}

void UpstreamConnection::moveTo(size_t endpoint) {
  if (endpoint == kGone) doubted_ = false;  // its state is gone
  endpoint_ = endpoint;
  for (auto& waiter : waiting_) waiter.endpoint = endpoint;
}

void UpstreamConnection::endUnlessAccepted(const net::TlsClient* tls) {
  if (!isOpen() || tls == nullptr) return;
  if (tls_ == nullptr) return connection_->abort("the service must prove who it is from now on");
  if (!tls_->acceptedBy(*tls, base::wallMicros() / 1'000'000))
    connection_->abort("the service `" + tls_->peer().id + "` is no longer accepted");
}

void UpstreamConnection::began() {
  where()->health->requests.fetch_add(1, std::memory_order_relaxed);
  if (endpoint_ != kGone) pool_.states_.began(endpoint_);
}
void UpstreamConnection::ended(int64_t trial) {
  where()->health->requests.fetch_sub(1, std::memory_order_relaxed);
  if (endpoint_ != kGone) pool_.states_.ended(endpoint_, loop_.nowMillis(), trial);
}
void UpstreamConnection::failed(const std::string& why, int64_t trial) {
  if (endpoint_ != kGone) pool_.states_.failed(endpoint_, loop_.nowMillis(), why, trial);
}
void UpstreamConnection::succeeded(int64_t trial) {
  if (endpoint_ != kGone) pool_.states_.succeeded(endpoint_, loop_.nowMillis(), trial);
}

void UpstreamConnection::brokeOff(const std::string& why, int64_t trial) {
  if (endpoint_ != kGone) pool_.states_.brokeOff(endpoint_, loop_.nowMillis(), why, trial);
}
void UpstreamConnection::completed(int64_t trial) {
  if (endpoint_ != kGone) pool_.states_.completed(endpoint_, loop_.nowMillis(), trial);
}

void UpstreamConnection::disclaim(int64_t trial) {
  if (endpoint_ != kGone) pool_.states_.disclaim(endpoint_, trial);
}

bool UpstreamConnection::takesWaiters() const {
  return !opened_ && !old() && (codec_ == nullptr || isOpen()) && waiting_.size() < limits_->streams;
}

std::optional<Pool::Waiter> UpstreamConnection::forget(PoolUser& user) {
  const auto at =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& waiter) { return waiter.user == &user; });
  if (at == waiting_.end()) return std::nullopt;
  const Pool::Waiter out = *at;
  waiting_.erase(at);
  return out;
}

size_t UpstreamConnection::onData(std::string_view bytes) {
  const size_t used = codec_->onBytes(bytes);
  if (!opened_ && isOpen() && codec_->ready()) opened();
  if (doubted_ && !codec_->probing()) endDoubt();
  return used;
}

void UpstreamConnection::endDoubt() {
  if (std::exchange(doubted_, false) && endpoint_ != kGone) pool_.states_.endDoubt(endpoint_);
}

// The kernel completes connections of a process that hangs. A service that speaks HTTP/2 sends its settings first, so
// nothing is sent before they come: whoever waits can still go elsewhere.
void UpstreamConnection::onLinked() {
  if (codec_->ready()) return opened();
  codec_->onBatchEnd();
  connection_->setTimeout(pool_.cluster().config.connect_timeout);
}

void UpstreamConnection::opened() {
  connection_->clearTimeout();
  opened_ = true;
  if (endpoint_ != kGone) pool_.states_.reached(endpoint_);
  pool_.settled(*this);
  codec_->onBatchEnd();
  if (!connection_->open()) return passWaitingOn(kNoRequests);  // it has said goodbye already
  if (waiting_.empty()) return pool_.giveBack(*this);           // whoever wanted it has gone
  keepAlive();
  lendToWaiting();
}

void UpstreamConnection::lendToWaiting() {
  bool fresh = true;
  // A user that gets its lease may cancel others that wait.
  while (!waiting_.empty() && connection_->open()) {
    const auto waiter = waiting_.front();
    waiting_.erase(waiting_.begin());
    pool_.endWait(*waiter.user);
    if (codec_->room() > 0 && !old() && !resting_)
      waiter.user->onLease(Lease(*this, std::exchange(fresh, false), waiter.trial));
    else if (fresh && !old() && !resting_) pool_.retry(waiter, endpoint() + kNoRequests, false);
    else pool_.serve(waiter);
  }
  if (!connection_->open()) return passWaitingOn(kNoRequests);
  if (!resting_ && codec_->idle()) end();  // old, or without room
}

// They try other endpoints now: the end of this connection may take a while.
void UpstreamConnection::passWaitingOn(const std::string& why) {
  while (!waiting_.empty()) {
    const auto waiter = waiting_.front();
    waiting_.erase(waiting_.begin());
    pool_.endWait(*waiter.user);
    pool_.retry(waiter, endpoint() + why, untrusted());
  }
}

void UpstreamConnection::suspect() {
  if (!opened_ || !isOpen() || codec_->probing()) return;
  codec_->probe();
  awaitAnswer();
}

// To a PING, if one was sent. False: none was.
bool UpstreamConnection::awaitAnswer() {
  if (!codec_->probing()) return false;
  probe_timed_ = true;
  connection_->setTimeout(kProbeAnswer);
  if (!std::exchange(doubted_, true) && endpoint_ != kGone) pool_.states_.doubt(endpoint_);
  return true;
}

void UpstreamConnection::onTimeout() {
  if (std::exchange(probe_timed_, false)) {
    if (codec_->probing()) {
      silent_ = true;
      return connection_->abort("the service does not answer a PING");
    }
    if (resting_) connection_->setTimeout(pool_.cluster().config.idle_timeout);
    else keepAlive();
    return;
  }
  if (resting_) return end();
  if (!opened_) return connection_->abort("no connection within the connect timeout");
  const base::Millis silent(loop_.nowMillis() - codec_->heardAt());
  const auto& interval = pool_.cluster().config.keep_alive;
  if (silent < interval) return connection_->setTimeout(interval - silent);
  codec_->probe(true);
  if (!awaitAnswer()) keepAlive();
}

// A peer that is gone may stay silent for ever. Only HTTP/2 can ask it.
void UpstreamConnection::keepAlive() {
  const auto& interval = pool_.cluster().config.keep_alive;
  if (http2() && interval.count() > 0) connection_->setTimeout(interval);
}

void UpstreamConnection::onDrained() {
  codec_->onWritable();
  settle();
}

// Sending may close the last stream of a shared connection, long after its lease was given back.
void UpstreamConnection::settle() {
  if (!opened_ && connection_ && !connection_->open()) return passWaitingOn(": it has not begun to speak HTTP/2");
  if (opened_ && http2() && !resting_ && connection_->open() && codec_->idle()) pool_.giveBack(*this);
}

void UpstreamConnection::rest(base::Millis limit) {
  resting_ = true;
  if (!probe_timed_) connection_->setTimeout(limit);
}

void UpstreamConnection::wake() {
  if (!std::exchange(resting_, false)) return;
  probe_timed_ = false;
  connection_->clearTimeout();
  keepAlive();
}

// Avoids a reset, which services complain about.
void UpstreamConnection::end() {
  if (!connection_ || !connection_->open()) return;
  connection_->limitLinger(base::Millis(1000));
  connection_->finish();
}

void UpstreamConnection::close() {
  if (connection_ && connection_->open()) connection_->abort();  // one that is finishing may finish
}

void UpstreamConnection::onClosed(std::string_view why) {
  pool_.closed(*this);
  endDoubt();
  const bool unsettled = codec_ && !codec_->ready();
  const std::string text(!why.empty() ? why : unsettled ? "closed before its HTTP/2 settings came" : "closed");
  counted = counted || silent_;
  const bool was_open = std::exchange(opened_, true);  // so that no more users wait for it
  if ((!was_open || silent_) && endpoint_ != kGone) pool_.unreachable(endpoint_, text, untrusted());
  if (was_open) codec_->onPeerClosed(false, why);
  passWaitingOn(": " + text);
  pool_.remove(*this);
}

}  // namespace yett::upstream
