// Rules for requests of every HTTP version.
#pragma once

#include "http/head.h"

namespace yett::http {

/// What is wrong with a message: the response status, and why.
struct ParseError {
  int status = 0;  ///< 0: no error
  const char* why = "";
  explicit operator bool() const { return status != 0; }
};

/// Reads host, target, expectation and upgrade from a head whose fields are parsed. Requires exactly one Host, which an
/// absolute-form target must match, including the port (RFC 9112 3.2); a target that can be made canonical; a method in
/// upper case, since some services ignore its case; and no charset that decodes ASCII to something else.
ParseError checkRequest(RequestHead& out);

/// Whether requests with this method normally have content (RFC 9110 9.3).
bool meansContent(std::string_view method);
/// Whether a request has no content although its method expects some: HTTP/1.1 then needs `content-length: 0`.
bool saysLengthZero(const RequestHead& head);

/// Whether two authorities name the same host and port; `port` is the default port. REQUIRES: `host_a` and `host_b` are
/// their canonicalHost() results.
bool sameAuthority(std::string_view a, std::string_view host_a, std::string_view b, std::string_view host_b,
                   uint16_t port);

/// Refuses framing, routing and authentication fields in trailers (RFC 9110 6.5.1).
ParseError checkTrailers(const HeaderMap& trailers);

}  // namespace yett::http
