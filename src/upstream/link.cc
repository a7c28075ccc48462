#include "upstream/link.h"

#include <Poco/Net/IPAddress.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "http/h1_client.h"
#include "http/h2_client.h"

namespace yett::upstream {
namespace {

std::string_view protocolsOf(Speaks offers) {  // ALPN, RFC 7301
  if (offers == Speaks::kHttp1) return "\x08http/1.1";
  if (offers == Speaks::kHttp2) return "\x02h2";
  return "\x02h2\x08http/1.1";
}

std::string sniOf(const TlsConfig& config, const Endpoint& endpoint) {
  if (!config.sni.empty()) return config.sni;
  Poco::Net::IPAddress ignored;
  const bool address = Poco::Net::IPAddress::tryParse(config.peer_name, ignored);  // RFC 6066 3: no addresses
  if (!config.peer_name.empty()) return address ? "" : config.peer_name;
  std::string host = endpoint.host;
  if (host.ends_with('.')) host.pop_back();  // RFC 6066 3
  return host;
}

}  // namespace

Link::Link(net::EventLoop& loop, std::shared_ptr<const Endpoint> endpoint, std::shared_ptr<const net::TlsClient> tls,
           std::shared_ptr<const http::Limits> limits, Speaks offers, Speaks expects)
    : loop_(loop),
      limits_(std::move(limits)),
      where_(std::move(endpoint)),
      client_(std::move(tls)),
      offers_(offers),
      http2_(expects != Speaks::kHttp1) {}

Link::~Link() = default;

void Link::begin(const TlsConfig& tls, base::Millis limit) {
  if (where_->fallback) {
    const int64_t until = loop_.nowMillis() + limit.count();
    race_ = std::make_unique<Race>(loop_, where_, limit, [this, tls, until](Result<Poco::Net::StreamSocket> socket) {
      const auto race = std::move(race_);
      const base::Millis left(std::max<int64_t>(1, until - loop_.nowMillis()));
      if (socket) use(socket.value(), tls, left);
      else onClosed(socket.error().message);
    });
    return;
  }
  const auto socket = beginConnect(where_->address);
  if (socket) return use(socket.value(), tls, limit);
  // A Unix socket or a full table fails at once; the owner must not be re-entered from here.
  loop_.afterBatch([this, why = socket.error().message] { onClosed(why); });
}

void Link::use(const Poco::Net::StreamSocket& socket, const TlsConfig& tls, base::Millis limit) {
  const int fd = socket.impl()->sockfd();
  std::unique_ptr<net::Transport> transport;
  if (client_) {
    auto made = std::make_unique<net::TlsClientTransport>(fd, client_, where_->address.toString(), sniOf(tls, *where_),
                                                          protocolsOf(offers_));
    tls_ = made.get();
    transport = std::move(made);
  } else {
    transport = std::make_unique<net::PlainTransport>(fd);
  }
  connection_ = std::make_unique<net::Connection>(loop_, socket, std::move(transport), *this);
  connection_->readOnAfterFailedWrite();
  connection_->start(true);
  connection_->setTimeout(limit);
}

// False: the service does not speak what the cluster's `protocol` demands.
bool Link::makeCodec() {
  if (client_ && offers_ != Speaks::kHttp1) {
    const bool agreed = connection_->transport().protocol() == "h2";
    if (!agreed && offers_ == Speaks::kHttp2) return false;
    http2_ = agreed;
  }
  if (http2_) codec_ = std::make_unique<http::H2Client>(*this, *limits_, client_ ? "https" : "http");
  else codec_ = std::make_unique<http::H1Client>(*this, *limits_);
  return true;
}

void Link::onOpen() {
  if (!makeCodec()) return connection_->abort("the service does not agree to HTTP/2 (ALPN)");
  connection_->clearTimeout();
  onLinked();
}

bool Link::trusted() const {
  return tls_ == nullptr || tls_->peer().expires > base::wallMicros() / 1'000'000;
}

void Link::callAtBatchEnd() {
  loop_.afterBatch([this] {
    if (!isOpen()) return;
    codec_->onBatchEnd();
    onBatch();
  });
}

}  // namespace yett::upstream
