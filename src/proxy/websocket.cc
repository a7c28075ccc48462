#include "proxy/websocket.h"

#include <algorithm>

#include "base/base64.h"
#include "base/random.h"
#include "base/sha1.h"

namespace yett::proxy {

http::ParseError checkWebSocket(const http::RequestHead& head) {
  std::string_view key;
  std::string_view version;
  const size_t keys = head.headers.find("sec-websocket-key", key);
  const size_t versions = head.headers.find("sec-websocket-version", version);
  if (versions != 1) return {400, "a WebSocket handshake needs exactly one sec-websocket-version"};
  if (version != "13") return {426, "only WebSocket version 13 is supported"};
  if (head.version == http::Version::kHttp2) return {};  // RFC 8441 5: the key is not used
  const auto digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  // 16 bytes in base64.
  if (keys != 1 || key.size() != 24 || !key.ends_with("==") || !std::all_of(key.begin(), key.end() - 2, digit))
    return {400, "a WebSocket handshake needs exactly one sec-websocket-key of 16 bytes"};
  return {};
}

std::string webSocketKey() {
  const auto bytes = base::randomBytes(16);
  return bytes ? base::toBase64(bytes.value()) : std::string();  // which no upstream accepts
}

std::string webSocketAccept(std::string_view key) {
  return base::toBase64(base::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

}  // namespace yett::proxy
