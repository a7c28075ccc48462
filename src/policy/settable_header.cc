#include "policy/settable_header.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace yett::policy {

bool isHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool maySetHeader(std::string_view name) {
  static constexpr std::array<std::string_view, 20> kOwned = {"host",
                                                              "content-length",
                                                              "transfer-encoding",
                                                              "connection",
                                                              "keep-alive",
                                                              "te",
                                                              "trailer",
                                                              "upgrade",
                                                              "expect",
                                                              "proxy-connection",
                                                              "proxy-authorization",
                                                              "proxy-authenticate",
                                                              "x-forwarded-for",
                                                              "x-forwarded-proto",
                                                              "x-forwarded-client-cert",
                                                              "x-request-id",
                                                              "traceparent",
                                                              "tracestate",
                                                              "http2-settings",
                                                              "forwarded"};
  return std::find(kOwned.begin(), kOwned.end(), name) == kOwned.end() && !name.starts_with("x-yett-");
}

bool isFieldValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](unsigned char c) { return (c >= 0x20 && c != 0x7f) || c == '\t'; }) &&
         base::trimmed(value) == value;
}

}  // namespace yett::policy
