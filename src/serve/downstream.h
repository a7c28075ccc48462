// One connection from a caller, whatever its protocol.
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
  /// Takes no new requests; in-flight ones may end first. May close immediately.
  virtual void drain() = 0;
  /// Closes immediately; `why` is for the operator, "" if it is not worth reporting. The registry has removed it when
  /// this returns.
  virtual void close(std::string_view why) = 0;
  /// A new generation is in force: its listener may be gone, its caller no longer trusted.
  virtual void review() = 0;
  /// Bytes held in memory on the caller's side; not those that its exchanges hold from services.
  virtual size_t heldBytes() const = 0;

 private:
  friend class Handshakes;
  std::list<Downstream*>* handshakes_ = nullptr;  // the list that contains it
  std::list<Downstream*>::iterator handshake_;    // its position there
  int64_t handshake_since_ = 0;                   // the loop's clock
};

}  // namespace yett::serve
