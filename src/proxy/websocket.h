// The WebSocket handshake (RFC 6455 4) at a proxy: Yett terminates it on both sides, so that each side proves that it
// speaks WebSocket before any byte is forwarded.
#pragma once

#include <string>
#include <string_view>

#include "http/head.h"
#include "http/request_rules.h"

namespace yett::proxy {

/// Checks the handshake of a request with `wants_websocket`: version 13 (426 for others) and, over HTTP/1.1, exactly
/// one valid key; over HTTP/2 the key is ignored (RFC 8441 5).
http::ParseError checkWebSocket(const http::RequestHead& head);

/// A fresh Sec-WebSocket-Key.
std::string webSocketKey();
/// The Sec-WebSocket-Accept that answers `key`.
std::string webSocketAccept(std::string_view key);

}  // namespace yett::proxy
