#include "net/listener.h"

#include <Poco/Exception.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "base/unix_socket.h"

namespace yett::net {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerEvent = 16;
constexpr base::Millis kRest{50};  // when no connection may be taken
constexpr std::string_view kUnixPrefix = "unix://";

}  // namespace

bool Gate::enter() {
  if (wider_ != nullptr && !wider_->enter()) return false;
  if (count_.fetch_add(1, std::memory_order_relaxed) < limit_) return true;
  leave();
  return false;
}

void Gate::leave() {
  count_.fetch_sub(1, std::memory_order_relaxed);
  if (wider_ != nullptr) wider_->leave();
}

Result<Poco::Net::SocketAddress> parseAddress(const std::string& text) {
  try {
    if (text.starts_with(kUnixPrefix))
      return Poco::Net::SocketAddress(Poco::Net::AddressFamily::UNIX_LOCAL, text.substr(kUnixPrefix.size()));
    const auto colon = text.rfind(':');
    if (colon == std::string::npos || colon + 1 == text.size()) return Error{"`" + text + "` has no port"};
    return Poco::Net::SocketAddress(text);
  } catch (const Poco::Exception& e) {
    return Error{"`" + text + "` is not an address that can be found: " + base::lowered(e.displayText())};
  }
}

Result<std::shared_ptr<ListeningSocket>> ListeningSocket::open(const std::string& address, mode_t mode) {
  const auto parsed = TRY(parseAddress(address));
  std::shared_ptr<ListeningSocket> out(new ListeningSocket);
  try {
    if (address.starts_with(kUnixPrefix)) {
      const std::string path = address.substr(kUnixPrefix.size());
      if (auto room = base::makeRoomForSocket(path); !room)
        return std::move(room).error().within("cannot listen on " + address);
      const base::ModeLimit limit(mode);  // so that there is no moment in which others could connect
      out->socket_.bind(parsed, false);
      out->unix_path_ = path;
    } else if (parsed.family() == Poco::Net::AddressFamily::IPv6) {
      out->socket_.bind6(parsed, true, false, true);
    } else {
      out->socket_.bind(parsed, true, false);
    }
    out->socket_.listen(kBacklog);
    out->socket_.setBlocking(false);
    out->fd_ = out->socket_.impl()->sockfd();
  } catch (const Poco::Exception& e) {
    const std::string why = base::lowered(e.message());  // "address already in use: 127.0.0.1:80"
    return Error{"cannot listen on " + address + ": " + why.substr(0, why.find(": "))};
  }
  return out;
}

ListeningSocket::~ListeningSocket() {
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

std::string ListeningSocket::address() const {
  return unix_path_.empty() ? socket_.address().toString() : std::string(kUnixPrefix) + unix_path_;
}

Acceptor::Acceptor(EventLoop& loop, std::shared_ptr<ListeningSocket> socket, Gate& gate, Handler accepted,
                   std::function<bool()> ready)
    : loop_(loop),
      socket_(std::move(socket)),
      gate_(gate),
      accepted_(std::move(accepted)),
      ready_(std::move(ready)),
      rested_([this] { listen(); }) {
  listen();
}

Acceptor::~Acceptor() {
  stop();
}

void Acceptor::listen() {
  if (listening_) return;
  listening_ = true;
  loop_.add(socket_->fd(), EPOLLIN | EPOLLEXCLUSIVE, *this);
}

void Acceptor::stop() {
  rested_.cancel();
  if (listening_) loop_.remove(socket_->fd(), *this);
  listening_ = false;
}

void Acceptor::rest() {
  stop();
  loop_.schedule(rested_, kRest);
}

void Acceptor::onEvents(uint32_t) {
  for (int i = 0; i < kAcceptsPerEvent && listening_; ++i) {
    if ((ready_ && !ready_()) || !gate_.enter()) return rest();
    const int fd = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      gate_.leave();
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) rest();
      return;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    accepted_(Poco::Net::StreamSocket(new Poco::Net::StreamSocketImpl(fd)));
  }
}

}  // namespace yett::net
