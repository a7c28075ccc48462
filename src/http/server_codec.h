// The server side of one connection, whatever its version: bytes in, requests out to their handlers; responses back to
// bytes. Made by the proxy's session once the version is known, and by the admin's. On the
// connection's loop.
#pragma once

#include <string_view>

#include "http/stream.h"

namespace yett::http {

/// What the owner of a server codec learns.
class ServerEvents {
 public:
  virtual ~ServerEvents() = default;
  /// A request (or something that should have been one) begins: who takes it.
  virtual RequestHandler& onStream(ServerStream& stream) = 0;
  /// Both halves of the stream are over; the handler is not called again. Of the codec only waiting() and drain()
  /// may be called from here.
  virtual void onStreamEnd(RequestHandler& handler) = 0;
  /// The peer broke the rules of the connection, not of one request; the connection ends.
  virtual void onConnectionError(std::string_view why) = 0;
};

/// What a connection waits for, and so which limit of time it stands under.
enum class Waiting : uint8_t {
  kRequest,   // nothing is under way
  kHead,      // the rest of a request's head
  kExchange,  // an exchange, which has limits of its own
  kDiscard,   // the rest of a request that was answered already
  kStreams,   // exchanges of HTTP/2: onTimeout() comes every second
};

class ServerCodec {
 public:
  virtual ~ServerCodec() = default;
  /// Takes what it can of `bytes`; the rest is to be offered again, with more behind it.
  virtual size_t onBytes(std::string_view bytes) = 0;
  /// The peer sends no more.
  virtual void onPeerClosed() = 0;
  /// The connection is gone.
  virtual void onClosed() = 0;
  virtual void onWritable() = 0;
  /// What Wire::callAtBatchEnd() asked for.
  virtual void onBatchEnd() {}
  /// The limit of time of waiting() is over. Not called in kExchange.
  virtual void onTimeout() = 0;
  /// What is under way is the last. An idle connection of HTTP/1.1 ends now, one of HTTP/2 after a notice and a second.
  virtual void drain() = 0;
  virtual Waiting waiting() const = 0;
  /// Bytes that it keeps for either side.
  virtual size_t heldBytes() const { return 0; }
};

}  // namespace yett::http
