#include "proxy/session.h"

#include <algorithm>

#include "authz/authorizer.h"
#include "base/units.h"
#include "http/h1_server.h"
#include "http/h2_server.h"
#include "net/tls_transport.h"
#include "proxy/exchange.h"
#include "request/xfcc.h"
#include "target/cidr.h"

namespace yett::proxy {
namespace {

std::unique_ptr<net::Transport> makeTransport(Worker& worker, const ListenerState& state, int fd) {
  const auto admits = [&worker] { return worker.registry.handshakes().admits(); };
  if (state.tls) return std::make_unique<net::TlsTransport>(fd, state.tls, admits);
  return std::make_unique<net::PlainTransport>(fd);
}

constexpr base::Millis kLingerInDrain{1000};
constexpr base::Millis kFirstRequestInDrain{1000};
constexpr base::Millis kLingerForBroken{1000};  // for a peer that broke the protocol
constexpr uint64_t kLingerBytesForBroken = 1 << 20;

// RFC 9113 3.4: the preface that a client sends first over HTTP/2.
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

}  // namespace

Session::Session(Worker& worker, std::shared_ptr<ListenerSlot> slot, Poco::Net::StreamSocket socket)
    : worker_(worker),
      slot_(std::move(slot)),
      limits_owner_(slot_->state),
      tls_(slot_->state->tls != nullptr),
      connection_(worker.loop, socket, makeTransport(worker, *slot_->state, socket.impl()->sockfd()), *this) {
  peer_text_ = target::IpAddress::fromSocket(connection_.peer()).text();
}

Session::~Session() = default;

const std::string& Session::forwardedCertificate() {
  const auto& principal = *connection_.principal();
  if (!forwarded_certificate_.empty() || principal.anonymous()) return forwarded_certificate_;
  const std::string name = principal.path.substr(principal.path.empty() ? 0 : 1);  // needs no quotes but for spaces
  const std::string who = principal.hasSpiffeId()              ? "URI=" + principal.id
                          : principal.kindName() == "x509-dns" ? "DNS=" + name
                                                               : "Subject=" + request::xfccValue("CN=" + name);
  const std::string& own = slot_->state->own_id;
  if (!own.empty()) forwarded_certificate_ = "By=" + own + ";";
  forwarded_certificate_ += "Hash=" + principal.certificate_sha256 + ";" + who;
  return forwarded_certificate_;
}

void Session::start() {
  connection_.setTimeout(limits_owner_->config.timeouts.handshake);
  connection_.limitOffered(limits_owner_->config.limits.head_bytes + (64 << 10));
  connection_.start(false);
}

void Session::onOpen() {
  opened_ = true;
  worker_.registry.handshakes().end(*this);
  if (tls_ && slot_->handshakes_done != nullptr) slot_->handshakes_done->add();
  beginTrust();
  limitAge();
  const auto protocol = limits_owner_->config.protocol;
  if (protocol == Protocol::kHttp2 || connection_.transport().protocol() == "h2") speak(Version::kHttp2);
  else if (protocol == Protocol::kHttp1 || tls_) speak(Version::kHttp1);
  watched_ = http::Waiting::kRequest;
  limitWait(limits_owner_->config.timeouts.idle);
}

// A client that has sent no request when the drain begins has until first_request_until_, whatever it sends.
void Session::limitWait(base::Millis limit) {
  if (first_request_until_ != 0 && !asked_any_)
    limit = std::clamp(base::Millis(first_request_until_ - worker_.loop.nowMillis()), base::Millis(1), limit);
  connection_.setTimeout(limit);
}

void Session::speak(Version version) {
  const auto& limits = limits_owner_->config.limits;
  if (version == Version::kHttp1) codec_ = std::make_unique<http::H1Server>(*this, *this, limits);
  else codec_ = std::make_unique<http::H2Server>(*this, *this, limits, limits_owner_->routes->allowsWebSocket());
}

// On plaintext only the first bytes show the HTTP version (prior knowledge, RFC 9113 3.3).
Session::Version Session::versionOf(std::string_view bytes) {
  const size_t size = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, size) != kPreface.substr(0, size)) return Version::kHttp1;
  return size == kPreface.size() ? Version::kHttp2 : Version::kUnknown;
}

size_t Session::onData(std::string_view bytes) {
  if (!codec_) {
    const Version version = versionOf(bytes);
    if (version == Version::kUnknown) {
      watch();
      return 0;
    }
    speak(version);
  }
  asked_ = 0;
  const bool first = !asked_any_;
  const size_t used = codec_->onBytes(bytes);
  asked_any_ = asked_any_ || asked_ > 0;
  if (asked_ > 0) brake();
  // The first request of a client that connected just before the drain: its answer says that the connection closes.
  if (first && asked_any_ && worker_.registry.draining() && connection_.open()) codec_->drain();
  watch();
  return used;
}

// Slows down callers while records queue up at the writer, more so if they sent many requests at once: otherwise one
// caller fills the queue for all.
void Session::brake() {
  const double fullness = worker_.authorizer.queueFullness();
  if (fullness < 0.5 || !connection_.open()) return;
  constexpr double kLongest = 500;  // milliseconds: a caller with many requests at once is delayed, not cut off
  // Per request: 2 ms if the queue is half full, 20 ms if it is full.
  const double each = 2 + 36 * std::min(fullness - 0.5, 0.5);
  connection_.yield(base::Millis(static_cast<int64_t>(std::min(each * asked_, kLongest))));
}

void Session::onEof() {
  if (codec_) codec_->onPeerClosed();
  else connection_.finish();
}

void Session::onDrained() {
  if (codec_) codec_->onWritable();
}

bool Session::yield() {
  connection_.yield(base::Millis(0));
  return true;
}

void Session::callAtBatchEnd() {
  worker_.loop.afterBatch([this] {
    if (codec_ && connection_.open()) codec_->onBatchEnd();
  });
}

void Session::watch() {
  if (!connection_.open()) return;
  const auto now = codec_ ? codec_->waiting() : http::Waiting::kHead;
  if (now == watched_) return;
  watched_ = now;
  const auto& timeouts = limits_owner_->config.timeouts;
  switch (now) {
    case http::Waiting::kRequest: return limitWait(timeouts.idle);
    case http::Waiting::kHead: return limitWait(timeouts.request_head);
    case http::Waiting::kDiscard: return connection_.setTimeout(timeouts.body);
    case http::Waiting::kStreams: return connection_.setTimeout(base::Millis(1000));
    case http::Waiting::kExchange: return connection_.clearTimeout();
  }
}

void Session::onTimeout() {
  if (!opened_ && first_request_until_ != 0) return connection_.abort();  // the drain ends it
  if (!opened_) {
    tell("handshake failed", "no complete handshake within its time limit");
    return connection_.abort();
  }
  if (!codec_) return worker_.registry.draining() ? connection_.finish() : connection_.abort();
  codec_->onTimeout();
  if (watched_ != http::Waiting::kStreams) return;
  watched_ = http::Waiting::kExchange;  // for another second
  watch();
}

http::RequestHandler& Session::onStream(http::ServerStream& stream) {
  if (watched_ != http::Waiting::kExchange && watched_ != http::Waiting::kStreams) {
    watched_ = http::Waiting::kExchange;
    connection_.clearTimeout();
  }
  ++asked_;
  return worker_.takeExchange(*this, stream);
}

void Session::onStreamEnd(http::RequestHandler& handler) {
  worker_.releaseExchange(static_cast<Exchange&>(handler));
  if (!connection_.open()) return;
  watch();
  if (worker_.registry.draining()) codec_->drain();
}

void Session::onConnectionError(std::string_view why) {
  connection_.limitLinger(kLingerForBroken, kLingerBytesForBroken);
  tell("bad connection", why);
}

void Session::tell(std::string_view what, std::string_view why) {
  const authz::Authorizer& authorizer = worker_.authorizer;
  const auto& transport = connection_.transport();
  const std::string caller(opened_ ? std::string_view(connection_.principal()->id) : transport.failedCaller());
  // Only a failed handshake quotes the caller's certificate.
  std::string about = opened_ ? std::string(why) : authorizer.shownText(why);
  if (!peer_text_.empty()) about += " (from " + authorizer.shown(peer_text_) + ")";
  worker_.events(what, slot_->state->config.name, about, authorizer.shownCaller(caller));
}

void Session::drain() {
  connection_.limitLinger(kLingerInDrain);
  // A client that has just connected does not know of the drain and has probably sent a request already.
  if (!asked_any_) {
    first_request_until_ = worker_.loop.nowMillis() + kFirstRequestInDrain.count();
    return connection_.setTimeout(kFirstRequestInDrain);
  }
  codec_->drain();
  // Over HTTP/2 it waits for the peer's answer, but not for long.
  if (connection_.open() && codec_->waiting() == http::Waiting::kRequest) connection_.setTimeout(base::Millis(1000));
}

void Session::onClosed(std::string_view why) {
  if (!opened_ && !why.empty()) tell("handshake failed", why);
  else if (opened_ && !connection_.transport().failure().empty()) tell("bad connection", why);
  if (!opened_ && tls_ && slot_->handshakes_failed != nullptr) slot_->handshakes_failed->add();
  if (codec_) codec_->onClosed();
  slot_->connections->add(-1);
  worker_.registry.remove(*this);
}

}  // namespace yett::proxy
