#include "proxy/session.h"

#include "net/tls_transport.h"
#include "proxy/exchange.h"

namespace yett::proxy {
namespace {

std::unique_ptr<net::Transport> makeTransport(const ListenerState& state, int fd) {
  if (state.tls) return std::make_unique<net::TlsTransport>(fd, state.tls);
  return std::make_unique<net::PlainTransport>(fd);
}

}  // namespace

Session::Session(Worker& worker, std::shared_ptr<ListenerSlot> slot, Poco::Net::StreamSocket socket)
    : worker_(worker),
      slot_(std::move(slot)),
      limits_owner_(slot_->state),
      tls_(slot_->state->tls != nullptr),
      connection_(worker.loop, socket, makeTransport(*slot_->state, socket.impl()->sockfd()), *this),
      codec_(*this, *this, limits_owner_->config.limits) {}

Session::~Session() = default;

bool Session::distrusted() const {
  const auto& then = limits_owner_->tls;
  const auto& now = slot_->state->tls;
  return then && now && then->bundles().digest() != now->bundles().digest();
}

bool Session::trustedNow(int64_t now_seconds) const {
  const auto& now = slot_->state->tls;
  return !now || connection_.transport().trustedBy(now->bundles(), now_seconds);
}

void Session::start() {
  connection_.setTimeout(limits_owner_->config.timeouts.handshake);
  connection_.start(false);
}

void Session::onOpen() {
  opened_ = true;
  connection_.setTimeout(limits_owner_->config.timeouts.idle);
}

size_t Session::onData(std::string_view bytes) {
  const size_t used = codec_.onBytes(bytes);
  if (connection_.open() && codec_.readingHead() && !codec_.idle() && !timing_head_) {
    timing_head_ = true;
    connection_.setTimeout(limits_owner_->config.timeouts.request_head);
  }
  return used;
}

void Session::onTimeout() {
  if (!opened_) {
    worker_.events("handshake failed", slot_->state->config.name, "no complete handshake within its time limit");
    return connection_.abort();
  }
  if (codec_.readingHead() || codec_.discarding()) codec_.onReadTimeout();
}

http::RequestHandler& Session::onStream(http::ServerStream&) {
  timing_head_ = false;
  connection_.clearTimeout();
  return worker_.takeExchange(*this);
}

void Session::onStreamEnd(http::RequestHandler& handler) {
  worker_.releaseExchange(static_cast<Exchange&>(handler));
  if (!connection_.open()) return;
  connection_.setTimeout(limits_owner_->config.timeouts.idle);
  if (worker_.draining()) codec_.drain();
}

void Session::replied() {
  if (connection_.open() && codec_.discarding()) connection_.setTimeout(limits_owner_->config.timeouts.body);
}

void Session::drain() {
  if (!opened_) return connection_.abort();
  codec_.drain();
}

void Session::onClosed(std::string_view why) {
  if (!opened_ && !why.empty()) {
    std::string detail(why);
    const auto peer = target::IpAddress::fromSocket(connection_.peer());
    if (peer.known()) detail += " (from " + peer.text() + ")";
    worker_.events("handshake failed", slot_->state->config.name, detail);
  }
  codec_.onClosed();
  slot_->connections->add(-1);
  worker_.remove(*this);
}

}  // namespace yett::proxy
