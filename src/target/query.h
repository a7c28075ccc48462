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

/// One pair of views: into the query if nothing was encoded, otherwise into the `kept` strings of parseQuery().
using QueryPair = std::pair<std::string_view, std::string_view>;

/// All pairs in order, decoded ('+' is a space), without allocating if nothing is encoded. `kept` holds the decoded
/// strings. A bad escape is an error, because readers could disagree about it.
Status parseQuery(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out);

/// All pairs in order, decoded ('+' is a space). A bad escape is an error, because readers could disagree about it.
Result<std::vector<std::pair<std::string, std::string>>> parseQuery(std::string_view query);

/// Like parseQuery(), but each pair that contains `;` is followed by the pairs that splitting it at `;` gives.
Status parseQueryAnyhow(std::string_view query, std::deque<std::string>& kept, std::vector<QueryPair>& out);

/// Whether some service reads the key `sent` as `key`: in another case (ASP.NET, Express with common settings), with
/// brackets (`key[]`, `key[0]`, `[key]`, `key]`: PHP, Rails, qs), with a leading space, or with `.`, space or `[`
/// instead of `_` (PHP).
bool maySpell(std::string_view sent, std::string_view key);

/// Calls `form` with each text that `sent` may be read as, except for case and for `.` or space instead of `_`.
/// maySpell() is true if one of them equals the key after foldedKeyChar() is applied to both.
template <typename Form>
void eachSpelling(std::string_view sent, Form form) {
  form(sent);
  sent.remove_prefix(std::min(sent.find_first_not_of(' '), sent.size()));
  // PHP reads an unclosed `[` as `_`.
  const auto open = sent.find('[');
  if (open != std::string_view::npos && sent.find(']', open) == std::string_view::npos) {
    std::string closed(sent);
    closed[open] = '_';
    form(std::string_view(closed));
  }
  // Rack ignores all brackets before and after the name.
  sent.remove_prefix(std::min(sent.find_first_not_of("[]"), sent.size()));
  form(sent.substr(0, sent.find_first_of("[]")));
}
constexpr char foldedKeyChar(char c) {
  return c == '.' || c == ' ' ? '_' : base::toLower(c);
}

/// Indexes the pairs of a query by key, for queries with thousands of pairs and policies with hundreds of rules.
class QueryIndex {
 public:
  /// `pairs` must outlive the index unchanged. `folded`: match keys by maySpell(), otherwise exactly.
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
