#include "target/query.h"

#include "base/text.h"

namespace yett::target {

static Result<std::string> decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 2 < text.size() ? base::hexValue(text[i + 1]) : -1;
      const int low = high >= 0 ? base::hexValue(text[i + 2]) : -1;
      if (low < 0) return Error{"the query has a `%` without two hex digits"};
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto pair : base::split(query, '&')) {
    if (pair.empty()) continue;
    const auto equals = pair.find('=');
    std::string key = TRY(decoded(pair.substr(0, equals)));
    std::string value = equals == std::string_view::npos ? "" : TRY(decoded(pair.substr(equals + 1)));
    out.emplace_back(std::move(key), std::move(value));
  }
  return out;
}

}  // namespace yett::target
