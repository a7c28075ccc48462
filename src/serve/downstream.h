// What serves one connection from a caller, whatever is spoken on it.
#pragma once

#include <cstddef>
#include <list>

#include "net/event_loop.h"

namespace yett::serve {

/// Owned by its loop's Registry; that loop's thread only.
class Downstream : public net::Destroyable {
 public:
  /// No new requests; what is under way ends first. May close at once.
  virtual void drain() = 0;
  /// Closes at once. The registry has forgotten it when this returns.
  virtual void close() = 0;
  /// A new generation is in force: its listener may be gone, its caller trusted no more.
  virtual void review() = 0;
  /// Bytes in memory for either side, without what its exchanges hold at services.
  virtual size_t heldBytes() const = 0;

 private:
  friend class Registry;
  std::list<Downstream*>::iterator handshake_;  // its place among the handshakes under way
  bool handshaking_ = false;
};

}  // namespace yett::serve
