#include "upstream/upstream_connection.h"

#include <Poco/Exception.h>
#include <Poco/Net/StreamSocket.h>

namespace yett::upstream {

UpstreamConnection::UpstreamConnection(Pool& pool, net::EventLoop& loop, const Endpoint& endpoint,
                                       const http::Limits& limits)
    : pool_(pool), loop_(loop), endpoint_(endpoint.name), address_(endpoint.address), client_(*this, limits) {}

UpstreamConnection::~UpstreamConnection() = default;

void UpstreamConnection::connect(PoolUser& user, size_t attempts_left) {
  user_ = &user;
  attempts_left_ = attempts_left;
  Poco::Net::StreamSocket socket;
  std::string failure;
  try {
    socket.connectNB(address_);
    if (address_.family() != Poco::Net::AddressFamily::UNIX_LOCAL) socket.setNoDelay(true);
  } catch (const Poco::Exception& e) {
    failure = e.message();
  }
  if (!failure.empty()) {
    // A Unix socket or a full table fails at once; the pool must not be re-entered from here.
    loop_.afterBatch([this, failure] { onClosed(failure); });
    return;
  }
  const int fd = socket.impl()->sockfd();
  connection_ =
      std::make_unique<net::Connection>(loop_, std::move(socket), std::make_unique<net::PlainTransport>(fd), *this);
  connection_->readOnAfterFailedWrite();
  connection_->start(true);
  connection_->setTimeout(pool_.cluster().config.connect_timeout);
}

void UpstreamConnection::onOpen() {
  opened_ = true;
  connection_->clearTimeout();
  PoolUser* user = std::exchange(user_, nullptr);
  if (user == nullptr) return pool_.giveBack(*this);  // whoever wanted it has gone
  user->onLease(Lease(*this, true));
}

void UpstreamConnection::onTimeout() {
  connection_->abort(opened_ ? "" : "no connection within the connect timeout");
}

void UpstreamConnection::rest(base::Millis limit) {
  client_.makeIdle();
  connection_->setTimeout(limit);
}

void UpstreamConnection::wake() {
  connection_->clearTimeout();
}

void UpstreamConnection::close() {
  if (connection_ && !connection_->closed()) connection_->abort();
}

void UpstreamConnection::onClosed(std::string_view why) {
  PoolUser* user = std::exchange(user_, nullptr);
  const std::string reason = endpoint_ + ": " + std::string(why.empty() ? "closed" : why);
  const size_t attempts = attempts_left_;
  Pool& pool = pool_;
  if (opened_) client_.onPeerClosed(false);
  pool.remove(*this);
  if (user == nullptr) return;
  if (attempts > 0) pool.connect(*user, attempts - 1);
  else user->onNoUpstream(reason);
}

}  // namespace yett::upstream
