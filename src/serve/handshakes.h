// Unfinished handshakes of one loop: memory limits how many may be in each stage.
#pragma once

#include <list>

#include "net/connection.h"
#include "serve/downstream.h"

namespace yett::serve {

/// Belongs to its loop's thread.
///
///   stage       limit                         above it
///   kHello      `places`                      the oldest is closed: clients that send half of a ClientHello and wait
///                                             must not take all memory
///   kQueued     about `places`                new connections wait in the kernel's backlog, where they take no memory
///   kUnderWay   `places`                      the next ones queue; one that takes over a second is closed for the next
class Handshakes {
 public:
  Handshakes(net::EventLoop& loop, size_t places) : loop_(loop), places_(places) {}
  Handshakes(const Handshakes&) = delete;

  /// The handshake has reached this stage. May close the oldest connection.
  void reach(Downstream& connection, net::HandshakeStage stage);
  /// It is done, or its connection closes.
  void end(Downstream& connection);
  /// Whether one more handshake may start its expensive part.
  bool admits() const;
  /// Whether there is room for new connections with a handshake.
  bool takesMore() const { return queued_.size() < places_; }

 private:
  bool full() const { return under_way_.size() >= places_; }
  net::EventLoop& loop_;
  const size_t places_;
  // Each list: oldest first.
  std::list<Downstream*> hellos_;
  std::list<Downstream*> queued_;
  std::list<Downstream*> under_way_;
};

}  // namespace yett::serve
