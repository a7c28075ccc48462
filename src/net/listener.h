// Listening sockets. One descriptor serves all loops (each waits on it exclusively), so that it survives reload and no
// second process can share the port unseen.
#pragma once

#include <Poco/Net/ServerSocket.h>
#include <Poco/Net/StreamSocket.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/event_loop.h"

namespace yett::net {

/// How many connections there may be at once, over all loops and listeners. Any thread.
/// Or whatever else is counted: a gate may stand within a wider one, which is entered with it.
class Gate {
 public:
  explicit Gate(int64_t limit, Gate* wider = nullptr) : limit_(limit), wider_(wider) {}
  bool enter();
  void leave();
  int64_t limit() const { return limit_; }
  int64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  const int64_t limit_;
  Gate* const wider_;
  std::atomic<int64_t> count_{0};
};

class ListeningSocket {
 public:
  /// "host:port", "[v6]:port", "unix:///path" or "fd://NAME". Port 0 takes a free one. A stale socket file is replaced;
  /// a live one, and what is no socket, is an error. `mode`: of the socket file. "fd://" takes a socket that the parent
  /// process listens on (sd_listen_fds(3)), by its name or number: it outlives this process, so nobody is refused while
  /// the next one takes over.
  static Result<std::shared_ptr<ListeningSocket>> open(const std::string& address, mode_t mode = 0600);
  ~ListeningSocket();

  int fd() const { return fd_; }
  /// The parent process passed it.
  bool inherited() const { return owned_; }
  /// With the port that was really bound.
  std::string address() const;

 private:
  ListeningSocket() = default;
  static Result<std::shared_ptr<ListeningSocket>> inherit(const std::string& name);
  Poco::Net::ServerSocket socket_;
  int fd_ = -1;
  bool owned_ = false;  // fd_ is no part of socket_
  std::string unix_path_;
};

/// Accepts from one socket on one loop.
class Acceptor final : public EventHandler, public Destroyable {
 public:
  using Handler = std::function<void(Poco::Net::StreamSocket)>;
  /// `accepted` gets non-blocking sockets that have entered `gate`; whoever closes them leaves it. While `ready` (may
  /// be null) says false, connections stay in the kernel's backlog. `failed` (may be null) gets the errno of an accept
  /// that failed for want of something; 0 where the gate is full.
  Acceptor(EventLoop& loop, std::shared_ptr<ListeningSocket> socket, Gate& gate, Handler accepted,
           std::function<bool()> ready = nullptr, std::function<void(int)> failed = nullptr);
  ~Acceptor() override;
  /// Takes what waits in the backlog, before the socket is closed. One that the parent process passed is not closed,
  /// and whoever listens on it too takes them.
  void takeRest();
  /// No more connections; those in the backlog stay there for the other loops or the next owner.
  void stop();
  void onEvents(uint32_t events) override;

 private:
  void listen();
  void rest();
  void take(int most);
  EventLoop& loop_;
  const std::shared_ptr<ListeningSocket> socket_;
  Gate& gate_;
  const Handler accepted_;
  const std::function<bool()> ready_;
  const std::function<void(int)> failed_;
  Timer rested_;
  bool listening_ = false;
};

/// Parses an address as listeners and endpoints write it. A name is looked up, so never on a loop.
Result<Poco::Net::SocketAddress> parseAddress(const std::string& text);
/// All that a name stands for, in the order in which the resolver gives them (RFC 6724), each once.
Result<std::vector<Poco::Net::SocketAddress>> parseAddresses(const std::string& text);

}  // namespace yett::net
