// SHA-1 and base64, for the one place that still asks for them: the WebSocket handshake (RFC 6455 4.2.2).
#pragma once

#include <string>
#include <string_view>

namespace yett::base {

/// 20 bytes.
std::string sha1(std::string_view bytes);
/// RFC 4648 4, with padding.
std::string base64(std::string_view bytes);

}  // namespace yett::base
