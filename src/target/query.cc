#include "target/query.h"

#include <algorithm>
#include <random>

#include "base/hash.h"

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
  bool yes = false;
  eachSpelling(sent, [&](std::string_view form) {
    yes = yes || std::equal(form.begin(), form.end(), key.begin(), key.end(),
                            [](char x, char y) { return foldedKeyChar(x) == foldedKeyChar(y); });
  });
  return yes;
}

// Seeded, so that callers cannot choose keys that all collide.
uint64_t QueryIndex::hashOf(std::string_view key) const {
  static const uint64_t seed = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  if (!folded_) return base::hashBytes(key, seed);
  char small[64];
  if (key.size() <= sizeof small) {
    std::transform(key.begin(), key.end(), small, foldedKeyChar);
    return base::hashBytes({small, key.size()}, seed);
  }
  std::string large(key);
  std::transform(large.begin(), large.end(), large.begin(), foldedKeyChar);
  return base::hashBytes(large, seed);
}

// Chains are in order, since they are built from the last pair to the first. A pair appears in a chain once for each
// distinct hash of its forms.
void QueryIndex::add(uint64_t hash, uint32_t pair) {
  uint32_t& slot = first_[hash & (first_.size() - 1)];
  for (uint32_t i = slot; i != kNone && entries_[i].pair == pair; i = entries_[i].next) {
    if (entries_[i].hash == hash) return;
  }
  entries_.push_back({hash, pair, slot});
  slot = static_cast<uint32_t>(entries_.size() - 1);
}

void QueryIndex::build(const std::vector<QueryPair>& pairs, bool folded) {
  pairs_ = &pairs;
  folded_ = folded;
  size_t slots = 16;
  while (slots < pairs.size() * 2) slots *= 2;
  first_.assign(slots, kNone);
  entries_.clear();
  for (size_t i = pairs.size(); i > 0; --i) {
    const auto number = static_cast<uint32_t>(i - 1);
    if (folded) eachSpelling(pairs[number].first, [&](std::string_view form) { add(hashOf(form), number); });
    else add(hashOf(pairs[number].first), number);
  }
}

Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query) {
  std::deque<std::string> kept;
  std::vector<QueryPair> pairs;
  TRY(parseQuery(query, kept, pairs));
  return std::vector<std::pair<std::string, std::string>>(pairs.begin(), pairs.end());
}

}  // namespace yett::target
