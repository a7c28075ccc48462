// A query string read as key=value pairs (application/x-www-form-urlencoded, WHATWG URL 5.1).
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/text.h"

namespace yett::target {

/// One pair, as views: into the query where nothing was encoded, else into what parseQuery() was given to keep.
using QueryPair = std::pair<std::string_view, std::string_view>;

/// All pairs in order, decoded ('+' is a blank), without allocating where nothing is encoded. `kept` holds what was
/// decoded. A bad escape is an error: two readers could disagree about it.
Status parseQuery(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out);

/// All pairs in order, decoded ('+' is a blank). A bad escape is an error: two readers could disagree about it.
Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query);

/// As parseQuery(), with each pair that a service finds by splitting at `;` too, after the pair it is a part of.
Status parseQueryAnyhow(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out);

/// Whether some service takes the key `sent` for `key`: in another case (ASP.NET, Express with its common settings),
/// with brackets (`key[]`, `key[0]`, `[key]`, `key]`: PHP, Rails, qs), with a blank before it or `.`, a blank or `[`
/// for `_` (PHP).
bool maySpell(std::string_view sent, std::string_view key);

/// Calls `form` with each text that `sent` is taken for, up to case and `.` or a blank for `_`: maySpell() is whether
/// one of them, folded by foldedKeyChar(), is the key so folded.
template <typename Form>
void eachSpelling(std::string_view sent, Form form) {
  form(sent);
  sent.remove_prefix(std::min(sent.find_first_not_of(' '), sent.size()));
  // PHP takes an open `[` that nothing closes for a `_`.
  const auto open = sent.find('[');
  if (open != std::string_view::npos && sent.find(']', open) == std::string_view::npos) {
    std::string closed(sent);
    closed[open] = '_';
    form(std::string_view(closed));
  }
  // Rack leaves out all brackets before and behind the name.
  sent.remove_prefix(std::min(sent.find_first_not_of("[]"), sent.size()));
  form(sent.substr(0, sent.find_first_of("[]")));
}
constexpr char foldedKeyChar(char c) {
  return c == '.' || c == ' ' ? '_' : base::toLower(c);
}

/// The pairs of a query by their keys: for queries of thousands of pairs, and policies of hundreds of rules.
class QueryIndex {
 public:
  /// `pairs` must stay as they are. `folded`: by maySpell(); else by their exact keys.
  void build(const std::vector<QueryPair>& pairs, bool folded);
  /// Calls `found` with each pair of this key, in order.
  template <typename Found>
  void find(std::string_view key, Found found) const {
    const uint64_t hash = hashOf(key);
    for (uint32_t i = first_[hash & (first_.size() - 1)]; i != kNone; i = entries_[i].next) {
      const QueryPair& pair = (*pairs_)[entries_[i].pair];
      if (entries_[i].hash == hash && (pair.first == key || (folded_ && maySpell(pair.first, key)))) found(pair);
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Entry {
    uint64_t hash;
    uint32_t pair;
    uint32_t next;
  };
  uint64_t hashOf(std::string_view key) const;
  void add(uint64_t hash, uint32_t pair);
  const std::vector<QueryPair>* pairs_ = nullptr;
  bool folded_ = false;
  std::vector<uint32_t> first_;
  std::vector<Entry> entries_;
};

}  // namespace yett::target
