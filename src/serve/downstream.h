// What serves one connection from a caller, whatever is spoken on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>

#include "net/event_loop.h"

namespace yett::serve {

/// Owned by its loop's Registry; that loop's thread only.
class Downstream : public net::Destroyable {
 public:
  /// No new requests; what is under way ends first. May close at once.
  virtual void drain() = 0;
  /// Closes at once; `why` is for the operator, "" where nobody need know. The registry has forgotten it when this
  /// returns.
  virtual void close(std::string_view why) = 0;
  /// A new generation is in force: its listener may be gone, its caller trusted no more.
  virtual void review() = 0;
  /// Bytes in memory for either side, without what its exchanges hold at services.
  virtual size_t heldBytes() const = 0;

 private:
  friend class Handshakes;
  std::list<Downstream*>* handshakes_ = nullptr;  // among which it stands
  std::list<Downstream*>::iterator handshake_;    // where
  int64_t handshake_since_ = 0;                   // the loop's clock
};

}  // namespace yett::serve
