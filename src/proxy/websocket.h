// The WebSocket handshake (RFC 6455 4) at a proxy: Yett ends it on both sides, so that each side proves to it that it
// speaks WebSocket before a byte is passed.
#pragma once

#include <string>
#include <string_view>

#include "http/head.h"
#include "http/request_rules.h"

namespace yett::proxy {

/// Whether a request with `wants_websocket` is a handshake: with version 13 (426 for another), and over HTTP/1.1 with
/// one good key; over HTTP/2 no key is looked for (RFC 8441 5).
http::ParseError checkWebSocket(const http::RequestHead& head);

/// A fresh Sec-WebSocket-Key.
std::string webSocketKey();
/// The Sec-WebSocket-Accept that answers `key`.
std::string webSocketAccept(std::string_view key);

}  // namespace yett::proxy
