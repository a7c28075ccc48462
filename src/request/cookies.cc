#include "request/cookies.h"

#include <algorithm>

#include "base/text.h"

namespace yett::request {

std::string_view cookieNamed(const http::HeaderMap& headers, std::string_view name) {
  for (const auto& field : headers.fields()) {
    if (field.dropped || field.name != "cookie") continue;
    for (const auto pair : base::split(field.value, ';')) {
      const auto equals = std::min(pair.find('='), pair.size());
      if (base::trimmed(pair.substr(0, equals)) != name) continue;
      return base::trimmed(pair.substr(std::min(equals + 1, pair.size())));
    }
  }
  return {};
}

}  // namespace yett::request
