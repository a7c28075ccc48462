// The client side of one connection to an upstream, for any HTTP version. Created by the connection's owner before the
// connection is open. Runs on the connection's loop.
#pragma once

#include <string_view>

#include "http/stream.h"

namespace yett::http {

class ClientCodec {
 public:
  virtual ~ClientCodec() = default;
  virtual size_t onBytes(std::string_view bytes) = 0;
  /// `orderly`: closed by EOF, not by an error; only EOF may end a body without a length.
  /// `why`: for people; "" if there is nothing to say.
  virtual void onPeerClosed(bool orderly, std::string_view why = {}) = 0;
  virtual void onWritable() = 0;
  /// The callback requested by Wire::callAtBatchEnd().
  virtual void onBatchEnd() {}

  /// The service has shown that it speaks the protocol, where the protocol lets it speak first.
  virtual bool ready() const { return true; }
  /// How many exchanges may begin now.
  virtual size_t room() const = 0;
  /// Begins an exchange. REQUIRES: room() > 0.
  virtual ClientStream& open(ResponseHandler& handler) = 0;
  /// The exchange is over for its caller; its handler is not called again. If unfinished, it is reset over HTTP/2; over
  /// HTTP/1.1 the connection can no longer be used, and its owner closes it.
  virtual void close(ClientStream& stream) = 0;
  /// No new exchanges may start; in-flight ones continue.
  virtual void leave() = 0;
  /// Pings the peer, if the protocol can and the peer has been silent lately. No exchange may start while probing().
  /// Call after a failure that a dead peer would explain, or (`keeps_alive`) every few minutes.
  virtual void probe([[maybe_unused]] bool keeps_alive = false) {}
  /// When bytes last arrived, in milliseconds of the wire's clock; 0 over HTTP/1.1.
  virtual int64_t heardAt() const { return 0; }
  virtual bool probing() const { return false; }
  /// No exchange is in flight.
  virtual bool idle() const = 0;
  /// No new exchanges may start: close it once it is idle.
  virtual bool spent() const = 0;
};

}  // namespace yett::http
