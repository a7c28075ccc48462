// Listening sockets. All loops share one descriptor (with EPOLLEXCLUSIVE), so that it survives a reload and no second
// process can silently share the port.
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

/// Limits how many connections (or anything else) may exist at once, across all loops and listeners. Any thread.
/// Gates can be nested: entering a gate also enters its wider gate.
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
  /// "host:port", "[v6]:port", "unix:///path" or "fd://NAME". Port 0 picks a free port. A stale socket file is
  /// replaced; a live one, or a file that is not a socket, is an error. `mode` applies to the socket file. "fd://"
  /// takes, by name or number, a listening socket passed by the parent process (sd_listen_fds(3)). That socket outlives
  /// this process, so no connection is refused while the next process takes over.
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
  bool owned_ = false;  // fd_ does not belong to socket_
  std::string unix_path_;
};

/// Accepts from one socket on one loop.
class Acceptor final : public EventHandler, public Destroyable {
 public:
  using Handler = std::function<void(Poco::Net::StreamSocket)>;
  /// `accepted` gets non-blocking sockets that have entered `gate`; whoever closes them must leave it. While `ready`
  /// (may be null) returns false, connections stay in the kernel's backlog. `failed` (may be null) gets the errno of a
  /// failed accept, or 0 if the gate is full.
  Acceptor(EventLoop& loop, std::shared_ptr<ListeningSocket> socket, Gate& gate, Handler accepted,
           std::function<bool()> ready = nullptr, std::function<void(int)> failed = nullptr);
  ~Acceptor() override;
  /// Accepts the connections in the backlog before the socket is closed. Does nothing for an inherited socket: it stays
  /// open, and another listener on it accepts them.
  void takeRest();
  /// Stops accepting. Connections in the backlog stay there for the other loops or the next owner.
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

/// Parses an address in the syntax of listeners and endpoints. It may resolve a host name, so never call it on a loop.
Result<Poco::Net::SocketAddress> parseAddress(const std::string& text);
/// All addresses of a name, in the resolver's order (RFC 6724), without duplicates.
Result<std::vector<Poco::Net::SocketAddress>> parseAddresses(const std::string& text);

}  // namespace yett::net
