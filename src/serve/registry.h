// The connections from callers on one loop. Belongs to the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "net/event_loop.h"
#include "net/listener.h"
#include "serve/downstream.h"
#include "serve/handshakes.h"

namespace yett::serve {

class Registry {
 public:
  /// `gate`: left once per closed connection. `most_handshakes`: limit per stage.
  Registry(net::EventLoop& loop, net::Gate& gate, size_t most_handshakes)
      : loop_(loop), gate_(gate), handshakes_(loop, most_handshakes) {}
  Registry(const Registry&) = delete;

  void add(std::unique_ptr<Downstream> connection);
  /// It has closed: destroyed once the batch is over. A second call does nothing.
  void remove(Downstream& connection);
  bool contains(const Downstream* connection) const { return all_.contains(connection); }
  Handshakes& handshakes() { return handshakes_; }

  /// No new requests on any connection; idle ones close. `done` is called once none is left.
  void drain(std::function<void()> done);
  bool draining() const { return draining_; }
  /// Calls review() on each connection, a few per loop iteration.
  void reviewAll();
  /// Closes all remaining connections.
  void closeAll();
  void forEach(const std::function<void(Downstream&)>& visit) const;

 private:
  void reviewSome();
  void tellWhenEmpty();
  net::EventLoop& loop_;
  net::Gate& gate_;
  std::unordered_map<const Downstream*, std::unique_ptr<Downstream>> all_;
  Handshakes handshakes_;
  std::vector<Downstream*> reviews_;  // pending; some may be gone
  net::Timer review_timer_{[this] { reviewSome(); }};
  std::function<void()> drained_;
  bool draining_ = false;
};

}  // namespace yett::serve
