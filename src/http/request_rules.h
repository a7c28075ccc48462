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
/// absolute-form target must agree with (RFC 9112 3.2); a target that can be made canonical.
ParseError checkRequest(RequestHead& out);

/// No framing, routing or authentication in trailers (RFC 9110 6.5.1).
ParseError checkTrailers(const HeaderMap& trailers);

}  // namespace yett::http
