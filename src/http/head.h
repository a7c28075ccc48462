// The head of a request or a response: parsed once, owned by its exchange, viewed by everything else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/header_map.h"
#include "target/canonical.h"

namespace yett::http {

/// How the end of a message's body is found (RFC 9112 6). kChunked also means a body of unknown length in HTTP/2.
/// kTunnel means the bytes after a protocol switch; each direction ends separately.
enum class Framing : uint8_t { kNone, kLength, kChunked, kUntilClose, kTunnel };

enum class Version : uint8_t { kHttp10, kHttp11, kHttp2 };

/// The part both kinds of head share. Views point into text_; so a head is neither copied nor moved.
class Head {
 public:
  Head() = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  HeaderMap headers;
  HeaderMap trailers;
  Framing framing = Framing::kNone;
  uint64_t content_length = 0;  ///< of kLength
  Version version = Version::kHttp11;
  bool keep_alive = true;  ///< what the sender wants for its connection

  /// Copies the head's bytes; the header views point into the copy.
  char* keep(std::string_view bytes) {
    text_.assign(bytes);
    return text_.data();
  }
  /// The same for a trailer section, which comes later.
  char* keepTrailers(std::string_view bytes) {
    trailer_text_.assign(bytes);
    return trailer_text_.data();
  }

 protected:
  void clearShared();

 private:
  std::string text_;
  std::string trailer_text_;
};

class RequestHead : public Head {
 public:
  std::string_view method;
  std::string_view raw_target;
  target::Target target;
  std::string host;     ///< canonical
  std::string refusal;  ///< the text of a ParseError made for this request, if any
  bool expects_continue = false;
  bool wants_websocket = false;  ///< `Upgrade: websocket` (RFC 6455) or `:protocol` websocket (RFC 8441)

  /// The path as sent to the service.
  std::string_view forwardPath() const {
    return with_parameters && !target.parameters.empty() ? target.parameters : target.path;
  }
  bool with_parameters = false;  ///< the route wants `;...` forwarded

  void clear();
};

class ResponseHead : public Head {
 public:
  int status = 0;
  std::string_view reason;

  void clear();
};

/// The size of a request's fields as counted by HTTP/2 (RFC 9113 6.5.2), including `added`.
size_t headListSize(const RequestHead& head, const HeaderMap& added);

/// The standard phrase of a status (RFC 9110 15), or "".
std::string_view reasonPhrase(int status);

}  // namespace yett::http
