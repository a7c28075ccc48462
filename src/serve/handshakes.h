// Handshakes of one loop that are not done: each stage has as many places as there is memory for.
#pragma once

#include <list>

#include "net/connection.h"
#include "serve/downstream.h"

namespace yett::serve {

/// Belongs to its loop's thread.
///
///   stage       how many                      of more
///   kHello      as many as there are places   the oldest is closed: whoever says half of a ClientHello and waits must
///                                             not take all memory
///   kQueued     as came before it was full    new connections wait in the kernel's backlog, where they take none
///   kUnderWay   as many as there are places   the next ones queue; but who takes a second for his part makes room
class Handshakes {
 public:
  Handshakes(net::EventLoop& loop, size_t places) : loop_(loop), places_(places) {}
  Handshakes(const Handshakes&) = delete;

  /// The handshake has come so far. The connection may be closed here.
  void reach(Downstream& connection, net::HandshakeStage stage);
  /// It is done, or its connection goes.
  void end(Downstream& connection);
  /// What costs may begin for one more.
  bool admits() const;
  /// Room for new connections that will have a handshake.
  bool takesMore() const { return queued_.size() < places_; }

 private:
  bool full() const { return under_way_.size() >= places_; }
  net::EventLoop& loop_;
  const size_t places_;
  // Each the oldest first.
  std::list<Downstream*> hellos_;
  std::list<Downstream*> queued_;
  std::list<Downstream*> under_way_;
};

}  // namespace yett::serve
