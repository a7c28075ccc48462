// What a request must satisfy whichever version brought it.
#pragma once

#include "http/head.h"

namespace yett::http {

/// What is wrong with a message: the status that answers it, and why.
struct ParseError {
  int status = 0;  ///< 0: nothing is wrong
  const char* why = "";
  explicit operator bool() const { return status != 0; }
};

/// Reads host, target, expectation and upgrade off a head whose fields are parsed: exactly one Host, which an
/// absolute-form target must agree with, port included (RFC 9112 3.2); a target that can be made canonical; a method in
/// upper case, since services fold it; no charset that turns ASCII into something else.
ParseError checkRequest(RequestHead& out);

/// A method whose requests have content (RFC 9110 9.3).
bool meansContent(std::string_view method);
/// A request without content whose method means some: `content-length: 0` is said of it in HTTP/1.1.
bool saysLengthZero(const RequestHead& head);

/// Whether two authorities name the same host and port; `port` is the one that is meant where none is named. REQUIRES:
/// canonicalHost() takes both, as `host_a` and `host_b`.
bool sameAuthority(std::string_view a, std::string_view host_a, std::string_view b, std::string_view host_b,
                   uint16_t port);

/// No framing, routing or authentication in trailers (RFC 9110 6.5.1).
ParseError checkTrailers(const HeaderMap& trailers);

}  // namespace yett::http
