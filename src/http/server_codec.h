// The server side of one connection, for any HTTP version: turns bytes into requests for their handlers, and responses
// into bytes. Created by the proxy's session, once the version is known, and by the admin's session. Runs on the
// connection's loop.
#pragma once

#include <string_view>

#include "http/stream.h"

namespace yett::http {

/// The events that a server codec reports to its owner.
class ServerEvents {
 public:
  virtual ~ServerEvents() = default;
  /// A request (or something meant as one) begins. Returns its handler.
  virtual RequestHandler& onStream(ServerStream& stream) = 0;
  /// Both halves of the stream are over; the handler is not called again. From here, only waiting() and drain() of the
  /// codec may be called.
  virtual void onStreamEnd(RequestHandler& handler) = 0;
  /// The peer violated the protocol of the connection, not just of one request; the connection ends.
  virtual void onConnectionError(std::string_view why) = 0;
};

/// What a connection is waiting for, and therefore which timeout applies.
enum class Waiting : uint8_t {
  kRequest,   // nothing is in flight
  kHead,      // the rest of a request's head
  kExchange,  // an exchange, which has its own limits
  kDiscard,   // the rest of a request that is already answered
  kStreams,   // HTTP/2 exchanges: onTimeout() is called every second
};

class ServerCodec {
 public:
  virtual ~ServerCodec() = default;
  /// Consumes what it can of `bytes` and returns how much. Offer the rest again, followed by new bytes.
  virtual size_t onBytes(std::string_view bytes) = 0;
  /// The peer sends no more.
  virtual void onPeerClosed() = 0;
  /// The connection is gone.
  virtual void onClosed() = 0;
  virtual void onWritable() = 0;
  /// The callback requested by Wire::callAtBatchEnd().
  virtual void onBatchEnd() {}
  /// The timeout for the state waiting() has expired. Not called in kExchange.
  virtual void onTimeout() = 0;
  /// In-flight requests are the last ones. An idle HTTP/1.1 connection ends now, an HTTP/2 one after a notice and about
  /// a second.
  virtual void drain() = 0;
  virtual Waiting waiting() const = 0;
  /// Bytes that it buffers in both directions.
  virtual size_t heldBytes() const { return 0; }
};

}  // namespace yett::http
