// The client side of one connection to an upstream, whatever its version. Made by the connection's owner, before it
// is open. On the connection's loop.
#pragma once

#include <string_view>

#include "http/stream.h"

namespace yett::http {

class ClientCodec {
 public:
  virtual ~ClientCodec() = default;
  virtual size_t onBytes(std::string_view bytes) = 0;
  /// `orderly`: by an end of input, not by an error; only that may end a body without a length.
  virtual void onPeerClosed(bool orderly) = 0;
  virtual void onWritable() = 0;
  /// What Wire::callAtBatchEnd() asked for.
  virtual void onBatchEnd() {}

  /// How many exchanges may begin now.
  virtual size_t room() const = 0;
  /// Begins an exchange. REQUIRES: room() > 0.
  virtual ClientStream& open(ResponseHandler& handler) = 0;
  /// The exchange is over for whoever began it: its handler is called no more. What is unfinished is reset
  /// over HTTP/2; over HTTP/1.1 the connection is good for nothing then, and its owner closes it.
  virtual void close(ClientStream& stream) = 0;
  /// No exchange may begin any more; those under way go on.
  virtual void leave() = 0;
  /// Something went wrong that a peer which is gone would explain: it is asked whether it is there, where the protocol
  /// can ask and it has said nothing lately. While probing(), no exchange may begin.
  virtual void probe() {}
  virtual bool probing() const { return false; }
  /// No exchange is under way.
  virtual bool idle() const = 0;
  /// No exchange may begin any more: to be closed once it is idle.
  virtual bool spent() const = 0;
};

}  // namespace yett::http
