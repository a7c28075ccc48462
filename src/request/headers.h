// Which header fields Yett removes, trusts or sets.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/head.h"

namespace yett::request {

/// Which forwarding headers of the peer are trusted.
struct Trust {
  bool forwarder = false;                  ///< the peer may set x-forwarded-for, -proto and -client-cert
  std::span<const std::string> keep = {};  ///< and these families, or names of them: `keep_headers`
};

/// Marks as dropped: hop-by-hop fields, fields that Connection lists, fields that only Yett, policy or a trusted peer
/// may set, in every spelling that services accept (header_families.h); x-request-id and traceparent without exactly
/// one valid value.
void dropUntrusted(http::RequestHead& head, const Trust& trust, std::span<const std::string> owned = {});
/// The same for trailers, which may not set anything that a header may not.
void dropUntrustedTrailers(http::RequestHead& head, std::span<const std::string> owned = {});
/// Whether `name` is one of `names`, in any spelling (any byte but a letter or digit counts as `-`).
bool isNamed(std::string_view name, std::span<const std::string> names);
/// Whether the field of this name (lower case) is for this hop only, because Connection lists it (RFC 9110 7.6.1).
bool isListedInConnection(const http::HeaderMap& headers, std::string_view name);
/// Marks fields with these names as dropped, in any spelling (any byte but a letter or digit counts as `-`).
void dropNamed(http::HeaderMap& headers, std::span<const std::string> names);
/// The same for a response: hop-by-hop, Connection-listed, and what only Yett may set.
void dropFromResponse(http::ResponseHead& head);

/// A valid traceparent (W3C Trace Context 3.2): not all zero, of version 00 or a version that can be parsed like it.
bool validTraceParent(std::string_view value);
/// A valid x-request-id: 1 to 128 printable characters without spaces.
bool validRequestId(std::string_view value);

}  // namespace yett::request
