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

static void addPair(std::string_view pair, std::vector<QueryPair>& out) {
  if (pair.empty()) return;
  const auto equals = pair.find('=');
  if (equals == std::string_view::npos) out.emplace_back(pair, std::string_view());
  else out.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
}

static Status addPairs(std::string_view query, bool anyhow, std::deque<std::string>& kept,
                       std::vector<QueryPair>& out) {
  if (!kept.empty()) kept.clear();
  out.clear();
  bool encoded = false;
  for (const char c : query) encoded |= c == '%' || c == '+';
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    addPair(pair, out);
    if (!anyhow || pair.find(';') == std::string_view::npos) continue;
    for (const auto part : base::split(pair, ';')) addPair(part, out);
  }
  if (!encoded) return {};
  for (auto& [key, value] : out) {
    key = kept.emplace_back(TRY(decoded(key)));
    value = kept.emplace_back(TRY(decoded(value)));
  }
  return {};
}

Status parseQuery(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out) {
  return addPairs(query, false, kept, out);
}

Status parseQueryAnyhow(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out) {
  return addPairs(query, true, kept, out);
}

bool maySpell(std::string_view sent, std::string_view key) {
  const auto folded = [](char c) { return c == '.' || c == ' ' ? '_' : base::toLower(c); };
  const auto same = [&](std::string_view a) {
    return std::equal(a.begin(), a.end(), key.begin(), key.end(),
                      [&](char x, char y) { return folded(x) == folded(y); });
  };
  if (same(sent)) return true;
  sent.remove_prefix(std::min(sent.find_first_not_of(' '), sent.size()));
  // PHP takes an open `[` that nothing closes for a `_`.
  const auto open = sent.find('[');
  if (open != std::string_view::npos && sent.find(']', open) == std::string_view::npos) {
    std::string closed(sent);
    closed[open] = '_';
    if (same(closed)) return true;
  }
  // Rack leaves out all brackets before and behind the name.
  sent.remove_prefix(std::min(sent.find_first_not_of("[]"), sent.size()));
  return same(sent.substr(0, sent.find_first_of("[]")));
}

Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query) {
  std::deque<std::string> kept;
  std::vector<QueryPair> pairs;
  TRY(parseQuery(query, kept, pairs));
  return std::vector<std::pair<std::string, std::string>>(pairs.begin(), pairs.end());
}

}  // namespace yett::target
