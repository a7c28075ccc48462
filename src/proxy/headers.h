// Which header fields Yett takes away, believes, or sets.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "http/head.h"

namespace yett::proxy {

/// Marks as dropped: hop-by-hop fields, fields that Connection lists, fields that Yett sets (in any spelling that folds
/// to the same name), fields that would override the method or the target. `trusted`: the peer may say x-forwarded-*.
void dropUntrusted(http::RequestHead& head, bool trusted, std::span<const std::string> owned = {});
/// Trailers may say nothing that a header may not.
void dropUntrustedTrailers(http::RequestHead& head, std::span<const std::string> owned = {});
/// Whether `name` is one of `names`, however it is spelt (`_` and `.` for `-`).
bool isNamed(std::string_view name, std::span<const std::string> names);
/// Marks fields of these names as dropped, however they are spelt (`_` and `.` for `-`).
void dropNamed(http::HeaderMap& headers, std::span<const std::string> names);
/// The same for a response: hop-by-hop, Connection-listed, and what only Yett may say.
void dropFromResponse(http::ResponseHead& head);

/// A traceparent of W3C Trace Context level 1 (2.2): version 00, not all zero.
bool validTraceParent(std::string_view value);
/// An x-request-id that is worth keeping: 1 to 128 printable characters without blanks.
bool validRequestId(std::string_view value);

}  // namespace yett::proxy
