// Serializes HTTP/1.1 heads and chunks from their parsed form: no byte of a peer's framing survives.
#pragma once

#include <string>
#include <string_view>

#include "http/head.h"

namespace yett::http {

/// An empty string to write a head into. All calls on a thread return the same one.
std::string& headScratch();

/// The request as sent to the upstream: canonical target, host as sent by the client, no dropped or hop-by-hop fields,
/// then `added`, then the framing of `head.framing`.
void writeRequest(const RequestHead& head, const HeaderMap& added, std::string& out);

/// The response for a client of version `client`. `framing` may differ from the head's (HTTP/1.0 clients do not support
/// chunks); `close` adds `Connection: close`.
void writeResponse(const ResponseHead& head, const HeaderMap& added, Framing framing, bool close, Version client,
                   std::string& out);

/// A chunk's size line; the data and CRLF follow.
void writeChunkHead(size_t size, std::string& out);
/// The last chunk and the trailer section.
void writeLastChunk(const HeaderMap& trailers, std::string& out);

}  // namespace yett::http
