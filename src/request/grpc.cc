#include "request/grpc.h"

#include <algorithm>

#include "base/text.h"
#include "policy/grpc.h"

namespace yett::request {

bool isGrpc(const http::RequestHead& head) {
  if (head.version != http::Version::kHttp2 || head.method != "POST") return false;
  std::string_view type;
  return head.headers.find("content-type", type) == 1 && policy::isGrpcType(type);
}

std::optional<int64_t> parseGrpcTimeout(std::string_view value) {
  uint64_t number = 0;
  if (value.size() < 2 || value.size() > 9 || !base::parseUnsigned(value.substr(0, value.size() - 1), number))
    return std::nullopt;
  const auto n = static_cast<int64_t>(number);
  switch (value.back()) {
    case 'H': return std::min<int64_t>(n, 1'000'000) * 3'600'000'000'000;  // 114 years; more would overflow 64 bits
    case 'M': return n * 60'000'000'000;
    case 'S': return n * 1'000'000'000;
    case 'm': return n * 1'000'000;
    case 'u': return n * 1000;
    case 'n': return n;
    default: return std::nullopt;
  }
}

}  // namespace yett::request
