// Which callers stand before a trusted forwarder: x-forwarded-client-cert and x-forwarded-for, read together.
#pragma once

#include <span>
#include <string>

#include "http/header_map.h"
#include "policy/forwarded.h"

namespace yett::request {

/// All fields of this name that are not dropped, joined by `separator`; "" if there are none.
std::string joinedFields(const http::HeaderMap& headers, std::string_view name, std::string_view separator);

/// REQUIRES: the headers are those of a caller that is one of `trusted` (SPIFFE IDs). Walks x-forwarded-client-cert
/// from its last element back, and stops after the first that is not one of them; so many addresses of x-forwarded-for
/// are walked too.
policy::Forwarded readForwarded(const http::HeaderMap& headers, std::span<const std::string> trusted);

}  // namespace yett::request
