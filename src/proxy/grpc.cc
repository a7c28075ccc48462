#include "proxy/grpc.h"

namespace yett::proxy {

// Follows gRPC's own table for responses of proxies that do not speak gRPC, if it has a row; the rest by meaning.
int grpcStatus(int http_status) {
  switch (http_status) {
    case 401: return 16;  // UNAUTHENTICATED
    case 403: return 7;   // PERMISSION_DENIED
    case 404: return 12;  // UNIMPLEMENTED: no such method
    case 408: return 4;   // DEADLINE_EXCEEDED
    case 413:
    case 431: return 8;  // RESOURCE_EXHAUSTED
    case 429:
    case 502:
    case 503:
    case 504: return 14;  // UNAVAILABLE
    case 501: return 12;
    default: return 13;  // INTERNAL
  }
}

std::string grpcMessage(std::string_view text) {
  std::string out;
  for (const unsigned char c : text) {
    if (c >= 0x20 && c < 0x7f && c != '%') {
      out += static_cast<char>(c);
      continue;
    }
    constexpr std::string_view kHex = "0123456789ABCDEF";
    out += '%';
    out += kHex[c >> 4];
    out += kHex[c & 15];
  }
  return out;
}

}  // namespace yett::proxy
