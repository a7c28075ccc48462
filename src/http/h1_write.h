// Serializes HTTP/1.1 heads and chunks from their parsed form: no byte of a peer's framing survives.
#pragma once

#include <string>
#include <string_view>

#include "http/head.h"

namespace yett::http {

/// An empty string to write a head into: the same one for each call on this thread.
std::string& headScratch();

/// The request as the upstream gets it: canonical target, host as sent by the client, no dropped or hop-by-hop field,
/// then `added`, then framing as `head.framing` says.
void writeRequest(const RequestHead& head, const HeaderMap& added, std::string& out);

/// The response for a client of `version`. `framing` may differ from the head's (an HTTP/1.0 client knows no chunks);
/// `close` says so in a Connection field.
void writeResponse(const ResponseHead& head, const HeaderMap& added, Framing framing, bool close, Version client,
                   std::string& out);

/// A chunk's size line; the data and CRLF follow.
void writeChunkHead(size_t size, std::string& out);
/// The last chunk and the trailer section.
void writeLastChunk(const HeaderMap& trailers, std::string& out);

}  // namespace yett::http
