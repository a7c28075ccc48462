#include "rpc/grpc_status.h"

#include <array>

#include "base/text.h"

namespace yett::rpc {

std::string nameOf(GrpcCode code) {
  constexpr std::array<const char*, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto number = static_cast<size_t>(code);
  return number < kNames.size() ? kNames[number] : std::to_string(static_cast<int>(code));
}

GrpcCode codeOfHttp(int status) {
  switch (status) {
    case 400: return GrpcCode::kInternal;
    case 401: return GrpcCode::kUnauthenticated;
    case 403: return GrpcCode::kPermissionDenied;
    case 404: return GrpcCode::kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504: return GrpcCode::kUnavailable;
    default: return GrpcCode::kUnknown;
  }
}

std::string decodedMessage(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && base::hexValue(text[i + 1]) >= 0 && base::hexValue(text[i + 2]) >= 0;
    if (!escape) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(base::hexValue(text[i + 1]) * 16 + base::hexValue(text[i + 2]));
    i += 2;
  }
  return out;
}

GrpcStatus statusOf(const http::ResponseHead& head) {
  constexpr uint64_t kMostCode = 1'000'000;
  std::string_view code;
  std::string_view message;
  const bool in_trailers = head.trailers.find("grpc-status", code) == 1;
  if (!in_trailers && head.headers.find("grpc-status", code) != 1)
    return {GrpcCode::kUnknown, "the response ended without a gRPC status"};
  (in_trailers ? head.trailers : head.headers).find("grpc-message", message);
  uint64_t number = 0;
  if (!base::parseUnsigned(code, number) || number > kMostCode)
    return {GrpcCode::kUnknown, "the response has a gRPC status that is not a number"};
  return {static_cast<GrpcCode>(number), decodedMessage(message)};
}

}  // namespace yett::rpc
