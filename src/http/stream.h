// The interface between a codec and an exchange, the same for HTTP/1.1 (one stream at a time per connection) and
// HTTP/2. Everything runs on one loop thread. A codec never destroys a handler. A handler must not use a stream after
// onReset(kPeerClosed), nor after both its halves have ended. After any other cause, a server's handler still responds
// to it or resets it.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/head.h"

namespace yett::http {

/// Why a message will not be completed.
enum class ResetCause : uint8_t {
  kPeerClosed,     // the connection ended before the message did
  kProtocolError,  // not HTTP that Yett accepts
  kTimeout,        // a timeout expired
  kTooLarge,       // the body is over its limit
  kLocal,          // this side gave up
  kReset,          // the peer gave up this message alone
  kRefused,        // the peer says that it did not process it: it may be retried
  kEnough,         // the peer has sent everything and wants no more of our data (RFC 9113 8.1)
  kHeadTooLarge,   // larger than the peer accepts (RFC 9113 6.5.2, 10.5.1): not sent
};
const char* name(ResetCause cause);

/// Receives the body of one message.
class BodyHandler {
 public:
  virtual ~BodyHandler() = default;
  /// `data` is valid during the call only.
  virtual void onBody(std::string_view data) = 0;
  /// The message is complete; the trailers, if any, are in its head.
  virtual void onEnd() = 0;
  /// The message will not be completed. Nothing of it follows.
  virtual void onReset(ResetCause cause, std::string_view detail) = 0;
  /// The send buffer has drained below the mark: writable() is true again.
  virtual void onWritable() = 0;
};

/// Receives one request.
class RequestHandler : public BodyHandler {
 public:
  /// The head that the codec parses into. It stays valid until the handler releases it.
  virtual RequestHead& requestHead() = 0;
  /// The head is complete and sound.
  virtual void onRequest() = 0;
  /// The head is refused with this status; over HTTP/1.1 the codec closes after the answer.
  virtual void onBadRequest(int status, std::string_view why) = 0;
};

/// Receives one response.
class ResponseHandler : public BodyHandler {
 public:
  virtual ResponseHead& responseHead() = 0;
  /// The head is complete: either final, or interim (1xx), in which case another follows.
  virtual void onResponse() = 0;
};

/// The sending half of a stream, and the credit of its receiving half.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void sendBody(std::string_view data) = 0;
  /// Ends the message; `trailers` may be empty.
  virtual void sendEnd(const HeaderMap& trailers) = 0;
  /// Ends the exchange so that the peer cannot mistake what it has received for a complete message.
  virtual void reset() = 0;
  /// False while more than the mark is queued, or while the peer's windows are exhausted; onWritable() is called when
  /// that changes.
  virtual bool writable() = 0;
  /// Bytes buffered for this stream only.
  virtual size_t heldBytes() const { return 0; }
  /// Stops and starts the flow of onBody().
  virtual void pauseBody() = 0;
  virtual void resumeBody() = 0;
};

/// Server side: answers a request.
class ServerStream : public Stream {
 public:
  /// How many bytes of the response the client can receive soon: no more need to be read for it.
  virtual size_t appetite() { return SIZE_MAX; }
  /// An interim response (1xx). Not sent to HTTP/1.0 clients.
  virtual void sendInterim(const ResponseHead& head) = 0;
  /// `head.framing` says how the body follows; the codec may use another framing that the client understands.
  virtual void sendResponse(const ResponseHead& head, const HeaderMap& added) = 0;
  /// Reads and discards the rest of the request's body, up to the codec's limit; beyond it the connection closes. For a
  /// tunnel: discards what the client still sends, and ends the stream once everything queued is sent.
  virtual void discardBody() = 0;
};

/// Client side: sends a request to an upstream.
class ClientStream : public Stream {
 public:
  /// True once a byte of a response has arrived: the request may have been processed.
  virtual bool responseBegun() const = 0;
  virtual void sendRequest(const RequestHead& head, const HeaderMap& added) = 0;
};

}  // namespace yett::http
