// What a stretch of decisions may hold: a Bloom filter over their values, so that a query knows where not to look
// without an index that each record would have to pay for. It says "not here" or "maybe".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace yett::audit {

/// A value that queries ask for, hashed.
using Token = uint64_t;

enum class Term : uint8_t { kEffect, kPrincipal, kMethod, kPath, kPolicy, kRule };
Token tokenOf(Term term, std::string_view value);
/// Of all values that begin with `prefix`, which ends with '/'.
Token prefixToken(Term term, std::string_view prefix);
/// Of two values in one record.
Token both(Token a, Token b);

/// What of one decision is in the filter.
struct FilteredFields {
  std::string_view effect, principal, method, path, policy, rule;
};

/// False: a query for one of these values, or for two of them, would not find the decision.
bool mayHold(std::string_view filter, const FilteredFields& fields);

/// Collects one block. One thread. A bit set in vain (of a batch that was not committed) does no harm.
class BlockFilter {
 public:
  BlockFilter();
  void add(const FilteredFields& fields);
  /// The same in parts: each different value, and the pairs of each record.
  Token add(Term term, std::string_view value);
  void addPairs(Token effect, Token principal, Token path);
  void clear();
  /// The smallest form that still says "not here" of nearly all values that are not.
  std::string encode() const;

 private:
  void set(Token token);
  std::vector<uint64_t> bits_;
  std::string last_principal_;
  std::string last_path_;
};

/// False: no decision of the block has the value.
bool mayContain(std::string_view filter, Token token);

}  // namespace yett::audit
