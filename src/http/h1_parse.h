// Strict parsing of HTTP/1.1 heads (RFC 9110, RFC 9112): anything ambiguous is refused. Works on a complete head in
// memory, and does not allocate per field once the head's memory has grown to the size in use.
#pragma once

#include <string_view>

#include "http/head.h"
#include "http/limits.h"
#include "http/request_rules.h"

namespace yett::http {

/// Finds the end of a head (after CRLF CRLF), searching from `from`; 0 while it is not complete. `bare_lf`: a line ends
/// without CR, so it is pointless to wait for more.
size_t findHeadEnd(std::string_view bytes, size_t from, bool& bare_lf);

/// Parses a complete head, including its empty line.
ParseError parseRequest(std::string_view bytes, const Limits& limits, RequestHead& out);

/// The same for a response. `to_head`: it answers a HEAD request, so there is no body.
ParseError parseResponse(std::string_view bytes, const Limits& limits, bool to_head, ResponseHead& out);

/// Parses the trailer section of a chunked body, including its empty line. Fields not allowed in trailers are refused.
ParseError parseTrailers(std::string_view bytes, const Limits& limits, bool of_response, Head& out);

/// Whether `text` is valid between a chunk's size and its CRLF (RFC 9112 7.1.1).
bool isChunkExtensions(std::string_view text);

}  // namespace yett::http
