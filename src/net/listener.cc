#include "net/listener.h"

#include <Poco/Exception.h>
#include <Poco/Net/SocketAddress.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "base/unix_socket.h"

namespace yett::net {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerEvent = 16;
constexpr base::Millis kRest{50};  // pause when no connection may be accepted
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
    if (colon == std::string::npos || colon + 1 == text.size())
      return Error{"`" + text + "` has no port: write host:port"};
    uint64_t port = 0;
    if (!base::parseUnsigned(text.substr(colon + 1), port) || port > 65535)
      return Error{"`" + text + "` has no port from 0 to 65535"};
    return Poco::Net::SocketAddress(text);
  } catch (const Poco::Exception&) {
    if (text.starts_with(kUnixPrefix)) return Error{"`" + text + "`: a socket path must have 1 to 107 bytes"};
    const std::string host = text.substr(0, text.rfind(':'));
    return Error{"`" + text + "`: the host `" + host + "` is neither an IP address nor a name that can be resolved"};
  }
}

Result<std::vector<Poco::Net::SocketAddress>> parseAddresses(const std::string& text) {
  const auto colon = text.rfind(':');
  if (text.starts_with(kUnixPrefix) || text.starts_with('[') || colon == std::string::npos || colon + 1 == text.size())
    return std::vector{TRY(parseAddress(text))};
  // The resolver would take a number modulo 65536.
  uint64_t port = 0;
  if (!base::parseUnsigned(text.substr(colon + 1), port) || port == 0 || port > 65535)
    return Error{"`" + text + "` has no port from 1 to 65535"};
  if (text.find(':') != colon) return Error{"`" + text + "` is not host:port: write an IPv6 address in brackets"};
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(text.substr(0, colon).c_str(), text.substr(colon + 1).c_str(), &hints, &found);
  if (status != 0) return Error{"`" + text + "` cannot be looked up: " + base::lowered(::gai_strerror(status))};
  std::vector<Poco::Net::SocketAddress> out;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    const Poco::Net::SocketAddress address(at->ai_addr, at->ai_addrlen);
    if (std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  ::freeaddrinfo(found);
  if (out.empty()) return Error{"`" + text + "` has no IPv4 or IPv6 address"};
  return out;
}

Result<std::shared_ptr<ListeningSocket>> ListeningSocket::inherit(const std::string& name) {
  constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
  const auto text = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::string(value != nullptr ? value : "");
  };
  uint64_t count = 0;
  uint64_t process = 0;
  const std::string fail = "fd://" + name + ": ";
  if (!base::parseUnsigned(text("LISTEN_FDS"), count) || !base::parseUnsigned(text("LISTEN_PID"), process) ||
      process != static_cast<uint64_t>(::getpid()))
    return Error{fail + "the parent process did not pass any sockets (LISTEN_FDS, LISTEN_PID)"};
  const std::string passed = text("LISTEN_FDNAMES");
  const auto names = base::split(passed, ':');
  for (uint64_t i = 0; i < std::min<uint64_t>(count, 1024); ++i) {
    const int fd = kFirst + static_cast<int>(i);
    if (!(i < names.size() && names[i] == name) && name != std::to_string(fd)) continue;
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0)
      return Error{fail + "descriptor " + std::to_string(fd) + " is not a listening socket"};
    std::shared_ptr<ListeningSocket> out(new ListeningSocket);
    out->fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, kFirst);
    if (out->fd_ < 0) return Error{fail + std::strerror(errno)};
    out->owned_ = true;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(out->fd_, F_SETFL, ::fcntl(out->fd_, F_GETFL) | O_NONBLOCK);
    return out;
  }
  return Error{fail + "the parent process did not pass a socket with this name or number (LISTEN_FDNAMES is `" +
               base::printable(passed) + "`)"};
}

Result<std::shared_ptr<ListeningSocket>> ListeningSocket::open(const std::string& address, mode_t mode) {
  constexpr std::string_view kInherited = "fd://";
  if (address.starts_with(kInherited)) return inherit(address.substr(kInherited.size()));
  const auto parsed = TRY(parseAddress(address));
  std::shared_ptr<ListeningSocket> out(new ListeningSocket);
  try {
    if (address.starts_with(kUnixPrefix)) {
      const std::string path = address.substr(kUnixPrefix.size());
      if (auto room = base::makeRoomForSocket(path); !room)
        return std::move(room).error().within("cannot listen on " + address);
      const base::ModeLimit limit(mode);  // so that others cannot connect even for a moment
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
  if (owned_) ::close(fd_);
  if (!unix_path_.empty()) ::unlink(unix_path_.c_str());
}

std::string ListeningSocket::address() const {
  if (owned_) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(fd_, reinterpret_cast<sockaddr*>(&bound), &size) != 0 || bound.ss_family == AF_UNIX)
      return "fd://" + std::to_string(fd_);
    return Poco::Net::SocketAddress(reinterpret_cast<sockaddr*>(&bound), size).toString();
  }
  return unix_path_.empty() ? socket_.address().toString() : std::string(kUnixPrefix) + unix_path_;
}

Acceptor::Acceptor(EventLoop& loop, std::shared_ptr<ListeningSocket> socket, Gate& gate, Handler accepted,
                   std::function<bool()> ready, std::function<void(int)> failed)
    : loop_(loop),
      socket_(std::move(socket)),
      gate_(gate),
      accepted_(std::move(accepted)),
      ready_(std::move(ready)),
      failed_(std::move(failed)),
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

void Acceptor::takeRest() {
  if (!socket_->inherited()) take(kBacklog);
}

void Acceptor::onEvents(uint32_t) {
  take(kAcceptsPerEvent);
}

void Acceptor::take(int most) {
  for (int i = 0; i < most && listening_; ++i) {
    if (ready_ && !ready_()) return rest();
    if (!gate_.enter()) {
      if (failed_) failed_(0);
      return rest();
    }
    const int fd = ::accept4(socket_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      const int why = errno;
      gate_.leave();
      if (why == EAGAIN || why == EINTR) return;
      if (why == ECONNABORTED) continue;  // whoever was next may still be there
      if (why == EMFILE || why == ENFILE || why == ENOMEM || why == ENOBUFS) rest();
      if (failed_) failed_(why);
      return;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    accepted_(Poco::Net::StreamSocket(new Poco::Net::StreamSocketImpl(fd)));
  }
}

}  // namespace yett::net
