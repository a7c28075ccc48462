#include "proxy/grpc.h"

#include <algorithm>

#include "base/text.h"

namespace yett::proxy {

bool isGrpc(const http::RequestHead& head) {
  if (head.version != http::Version::kHttp2 || head.method != "POST") return false;
  constexpr std::string_view kType = "application/grpc";
  std::string_view type;
  if (head.headers.find("content-type", type) != 1 || type.size() < kType.size()) return false;
  if (!base::equalsIgnoreCase(type.substr(0, kType.size()), kType)) return false;
  return type.size() == kType.size() || type[kType.size()] == '+' || type[kType.size()] == ';';
}

std::optional<int64_t> parseGrpcTimeout(std::string_view value) {
  uint64_t number = 0;
  if (value.size() < 2 || value.size() > 9 || !base::parseUnsigned(value.substr(0, value.size() - 1), number))
    return std::nullopt;
  const auto n = static_cast<int64_t>(number);
  switch (value.back()) {
    case 'H': return std::min<int64_t>(n, 1'000'000) * 3'600'000'000'000;  // beyond it 64 bits end; 114 years
    case 'M': return n * 60'000'000'000;
    case 'S': return n * 1'000'000'000;
    case 'm': return n * 1'000'000;
    case 'u': return n * 1000;
    case 'n': return n;
    default: return std::nullopt;
  }
}

// As gRPC's own table for answers of proxies that do not speak it, where it has a row; the rest by meaning.
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
