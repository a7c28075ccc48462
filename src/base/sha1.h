// SHA-1, for the one place that still asks for it: the WebSocket handshake (RFC 6455 4.2.2).
#pragma once

#include <string>
#include <string_view>

namespace yett::base {

/// 20 bytes.
std::string sha1(std::string_view bytes);

}  // namespace yett::base
