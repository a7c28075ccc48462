// HTTP/1.1 heads, strictly (RFC 9110, RFC 9112): what two readers could read two ways is refused. Works on a head that
// is complete in memory; never allocates per field once the head's memory has grown to the size in use.
#pragma once

#include <string_view>

#include "http/head.h"
#include "http/limits.h"
#include "http/request_rules.h"

namespace yett::http {

/// Finds the end of a head (after CRLF CRLF), searching from `from`; 0 while it is not complete. `bare_lf` says that a
/// line ended without CR, so that a wait for more is in vain.
size_t findHeadEnd(std::string_view bytes, size_t from, bool& bare_lf);

/// Parses a complete head, its empty line included.
ParseError parseRequest(std::string_view bytes, const Limits& limits, RequestHead& out);

/// The same for a response. `to_head`: it answers a HEAD request, so there is no body.
ParseError parseResponse(std::string_view bytes, const Limits& limits, bool to_head, ResponseHead& out);

/// The trailer section of a chunked body, its empty line included. Fields that must not be in trailers are refused.
ParseError parseTrailers(std::string_view bytes, const Limits& limits, bool of_response, Head& out);

/// Whether this is what may stand between a chunk's size and its CRLF (RFC 9112 7.1.1).
bool isChunkExtensions(std::string_view text);

}  // namespace yett::http
