#include "upstream/upstream_connection.h"

#include <utility>

#include "base/units.h"
#include "http/h1_client.h"
#include "http/h2_client.h"
#include "upstream/connector.h"

namespace yett::upstream {

UpstreamConnection::UpstreamConnection(Pool& pool, net::EventLoop& loop, size_t endpoint, const http::Limits& limits,
                                       bool http2)
    : pool_(pool), loop_(loop), endpoint_(endpoint), limits_(limits), http2_(http2) {
  if (http2) codec_ = std::make_unique<http::H2Client>(*this, limits);
  else codec_ = std::make_unique<http::H1Client>(*this, limits);
}

UpstreamConnection::~UpstreamConnection() = default;

void UpstreamConnection::connect() {
  auto socket = beginConnect(where());
  if (!socket) {
    // A Unix socket or a full table fails at once; the pool must not be re-entered from here.
    loop_.afterBatch([this, why = socket.error().message] { onClosed(why); });
    return;
  }
  const int fd = socket.value().impl()->sockfd();
  connection_ = std::make_unique<net::Connection>(loop_, std::move(socket).value(),
                                                  std::make_unique<net::PlainTransport>(fd), *this);
  connection_->readOnAfterFailedWrite();
  connection_->start(true);
  connection_->setTimeout(pool_.cluster().config.connect_timeout);
}

bool UpstreamConnection::takesWaiters() const {
  return !opened_ && waiting_.size() < limits_.streams;
}

void UpstreamConnection::forget(PoolUser& user) {
  std::erase_if(waiting_, [&](const auto& waiter) { return waiter.user == &user; });
}

void UpstreamConnection::callAtBatchEnd() {
  loop_.afterBatch([this] {
    if (!connection_ || !connection_->open()) return;
    codec_->onBatchEnd();
    settle();
  });
}

void UpstreamConnection::onOpen() {
  opened_ = true;
  pool_.states_.reached(endpoint_);
  connection_->clearTimeout();
  codec_->onBatchEnd();
  if (waiting_.empty()) return pool_.giveBack(*this);  // whoever wanted it has gone
  bool fresh = true;
  // A user that gets its lease may cancel others that wait.
  while (!waiting_.empty() && connection_->open()) {
    const auto waiter = waiting_.front();
    waiting_.erase(waiting_.begin());
    pool_.endWait(*waiter.user);
    if (codec_->room() > 0) waiter.user->onLease(Lease(*this, std::exchange(fresh, false)));
    else pool_.connect(waiter);
  }
}

void UpstreamConnection::suspect() {
  constexpr base::Millis kAnswer{5000};
  if (!connection_ || !connection_->open() || codec_->probing()) return;
  codec_->probe();
  if (!codec_->probing()) return;
  probe_timed_ = true;
  connection_->setTimeout(kAnswer);
}

void UpstreamConnection::onTimeout() {
  if (std::exchange(probe_timed_, false)) {
    if (codec_->probing()) return connection_->abort("the service does not answer a PING");
    if (resting_) connection_->setTimeout(pool_.cluster().config.idle_timeout);
    return;
  }
  if (resting_) return end();
  connection_->abort(opened_ ? "" : "no connection within the connect timeout");
}

void UpstreamConnection::onDrained() {
  codec_->onWritable();
  settle();
}

// Sending may close the last stream of a shared connection, long after its lease was given back.
void UpstreamConnection::settle() {
  if (http2_ && !resting_ && connection_->open() && codec_->idle()) pool_.giveBack(*this);
}

void UpstreamConnection::rest(base::Millis limit) {
  resting_ = true;
  if (!probe_timed_) connection_->setTimeout(limit);
}

void UpstreamConnection::wake() {
  resting_ = probe_timed_ = false;
  connection_->clearTimeout();
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
  const std::string reason = endpoint() + ": " + std::string(why.empty() ? "closed" : why);
  if (opened_) codec_->onPeerClosed(false);
  else pool_.states_.unreachable(endpoint_, loop_.nowMillis(), why.empty() ? "closed" : std::string(why));
  opened_ = true;  // so that no more users wait for it
  while (!waiting_.empty()) {
    const auto waiter = waiting_.front();
    waiting_.erase(waiting_.begin());
    pool_.endWait(*waiter.user);
    pool_.retry(waiter, reason);
  }
  pool_.remove(*this);
}

}  // namespace yett::upstream
