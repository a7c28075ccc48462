// Which header fields Yett takes away, believes, or sets.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/head.h"

namespace yett::request {

/// Whose word on other headers than its own is believed.
struct Trust {
  bool forwarder = false;                  ///< the peer may say x-forwarded-for, -proto and -client-cert
  std::span<const std::string> keep = {};  ///< and these families, or names of them: `keep_headers`
};

/// Marks as dropped: hop-by-hop fields, fields that Connection lists, fields that only Yett, policy or somebody trusted
/// may say, in every spelling that services take for them (header_families.h); x-request-id and traceparent that are
/// not one valid value.
void dropUntrusted(http::RequestHead& head, const Trust& trust, std::span<const std::string> owned = {});
/// Trailers may say nothing that a header may not.
void dropUntrustedTrailers(http::RequestHead& head, std::span<const std::string> owned = {});
/// Whether `name` is one of `names`, however it is spelt (any byte but a letter or digit for `-`).
bool isNamed(std::string_view name, std::span<const std::string> names);
/// Marks fields of these names as dropped, however they are spelt (any byte but a letter or digit for `-`).
void dropNamed(http::HeaderMap& headers, std::span<const std::string> names);
/// The same for a response: hop-by-hop, Connection-listed, and what only Yett may say.
void dropFromResponse(http::ResponseHead& head);

/// A traceparent (W3C Trace Context 3.2): not all zero, of version 00 or one that is read like it.
bool validTraceParent(std::string_view value);
/// An x-request-id that is worth keeping: 1 to 128 printable characters without blanks.
bool validRequestId(std::string_view value);

}  // namespace yett::request
