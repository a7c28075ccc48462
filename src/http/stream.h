// What a codec and an exchange say to each other, the same for HTTP/1.1 (a connection with one stream at a time) and
// HTTP/2. All on one loop thread. A codec never destroys a handler. A handler must not use a stream after
// onReset(kPeerClosed), nor after both its halves have ended; after any other cause a server's handler still answers or
// resets it.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/head.h"

namespace yett::http {

/// Why a message will not be completed.
enum class ResetCause : uint8_t {
  kPeerClosed,     // the connection ended before the message did
  kProtocolError,  // what came is no HTTP that Yett accepts
  kTimeout,        // a limit of time passed
  kTooLarge,       // the body is over its limit
  kLocal,          // this side gave up
  kReset,          // the peer gave up this message alone
  kRefused,        // the peer says that it did nothing about it: it may be sent again
  kEnough,         // the peer has said all it had, and wants no more of what is sent (RFC 9113 8.1)
  kHeadTooLarge,   // the peer takes no head as large (RFC 9113 6.5.2, 10.5.1): it was not sent
};
const char* name(ResetCause cause);

/// Receives the body of one message.
class BodyHandler {
 public:
  virtual ~BodyHandler() = default;
  /// `data` is valid during the call only.
  virtual void onBody(std::string_view data) = 0;
  /// The message is complete; its head's `trailers` hold what came after the body.
  virtual void onEnd() = 0;
  /// The message will not be completed. Nothing of it follows.
  virtual void onReset(ResetCause cause, std::string_view detail) = 0;
  /// What was sent has drained below the mark: writable() is true again.
  virtual void onWritable() = 0;
};

/// Receives one request.
class RequestHandler : public BodyHandler {
 public:
  /// Where the codec parses to. The head stays valid until the handler lets it go.
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
  /// The head is complete: a final one, or an interim one (1xx), after which another follows.
  virtual void onResponse() = 0;
};

/// The sending half of a stream, and the credit of its receiving half.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void sendBody(std::string_view data) = 0;
  /// Ends the message; `trailers` may be empty.
  virtual void sendEnd(const HeaderMap& trailers) = 0;
  /// Ends the exchange so that the peer cannot take what it has for a complete message.
  virtual void reset() = 0;
  /// False while more than the mark waits to be sent, or the peer's windows let nothing more through; onWritable()
  /// tells when that has changed.
  virtual bool writable() = 0;
  /// Bytes that are kept for this stream alone.
  virtual size_t heldBytes() const { return 0; }
  /// Stops and starts the flow of onBody().
  virtual void pauseBody() = 0;
  virtual void resumeBody() = 0;
};

/// Server side: answers a request.
class ServerStream : public Stream {
 public:
  /// How many bytes of the answer the client can take soon: no more need be read for it.
  virtual size_t appetite() { return SIZE_MAX; }
  /// An interim response (1xx). Not sent to HTTP/1.0 clients.
  virtual void sendInterim(const ResponseHead& head) = 0;
  /// `head.framing` says how the body follows; the codec may change it to what the client understands.
  virtual void sendResponse(const ResponseHead& head, const HeaderMap& added) = 0;
  /// The rest of the request's body is read and thrown away, up to the codec's limit; else the connection closes. Of a
  /// tunnel: what the client still says is thrown away, and its stream ends once it has what was sent.
  virtual void discardBody() = 0;
};

/// Client side: asks an upstream.
class ClientStream : public Stream {
 public:
  /// True once a byte of an answer has come: what was asked may have been done.
  virtual bool responseBegun() const = 0;
  virtual void sendRequest(const RequestHead& head, const HeaderMap& added) = 0;
};

}  // namespace yett::http
