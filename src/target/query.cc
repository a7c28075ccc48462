#include "target/query.h"

#include <algorithm>

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

Status parseQuery(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out) {
  kept.clear();
  out.clear();
  const bool encoded = std::any_of(query.begin(), query.end(), [](char c) { return c == '%' || c == '+'; });
  const auto plain = [&](std::string_view text) -> Result<std::string_view> {
    if (!encoded) return text;
    kept.push_back(TRY(decoded(text)));
    return std::string_view(kept.back());
  };
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const auto equals = std::min(pair.find('='), pair.size());
    const auto key = TRY(plain(pair.substr(0, equals)));
    out.emplace_back(key, TRY(plain(pair.substr(std::min(equals + 1, pair.size())))));
  }
  return {};
}

Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query) {
  std::deque<std::string> kept;
  std::vector<QueryPair> pairs;
  TRY(parseQuery(query, kept, pairs));
  return std::vector<std::pair<std::string, std::string>>(pairs.begin(), pairs.end());
}

}  // namespace yett::target
