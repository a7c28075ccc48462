// Begins connections to endpoints.
#pragma once

#include <Poco/Net/StreamSocket.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "net/event_loop.h"
#include "upstream/endpoint.h"

namespace yett::upstream {

/// Starts to connect a socket, without waiting. Errors: immediate failures (a missing Unix socket, a full descriptor
/// table).
Result<Poco::Net::StreamSocket> beginConnect(const Poco::Net::SocketAddress& address);

/// Connects to an endpoint with addresses of both families: to one of them, and a little later, or once that has
/// failed, also to the other; the first that is there wins (RFC 8305 5). On its loop.
class Race {
 public:
  /// Gets the connected socket, or why there is none. The race may be destroyed here.
  using Done = std::function<void(Result<Poco::Net::StreamSocket> socket)>;
  Race(net::EventLoop& loop, std::shared_ptr<const Endpoint> endpoint, base::Millis limit, Done done);
  ~Race();
  Race(const Race&) = delete;

 private:
  class Runner;
  void start(size_t which);
  void failed(size_t which, const std::string& why);
  void won(size_t which);
  void finish(Result<Poco::Net::StreamSocket> socket);
  net::EventLoop& loop_;
  const std::shared_ptr<const Endpoint> endpoint_;
  const bool fallback_first_;  // read once: other races may change what the endpoint prefers meanwhile
  Done done_;
  std::array<std::unique_ptr<Runner>, 2> runners_;
  bool second_started_ = false;
  int left_ = 2;  // that have not failed
  std::string why_;
  net::Timer second_;
  net::Timer limit_;
  net::Timer lost_;
};

}  // namespace yett::upstream
