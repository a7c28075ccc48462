// A Bloom filter over the values of a range of decisions: a query can skip blocks, and no record has to pay for an
// index. The filter answers "not here" or "maybe".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace yett::audit {

/// The hash of a value that queries search for.
using Token = uint64_t;

enum class Term : uint8_t { kEffect, kPrincipal, kMethod, kPath, kPolicy, kRule };
Token tokenOf(Term term, std::string_view value);
/// The token of all values that begin with `prefix`, which ends with '/'.
Token prefixToken(Term term, std::string_view prefix);
/// The token of two values in one record.
Token both(Token a, Token b);

/// The fields of a decision that go into the filter.
struct FilteredFields {
  std::string_view effect, principal, method, path, policy, rule;
};

/// False: a query for one of these values, or for two of them, would not find the decision.
bool mayHold(std::string_view filter, const FilteredFields& fields);

/// Builds the filter of one block. One thread. Extra bits (from a batch that was not committed) are harmless.
class BlockFilter {
 public:
  BlockFilter();
  void add(const FilteredFields& fields);
  /// The same in two parts: add() for each distinct value, addPairs() for each record.
  Token add(Term term, std::string_view value);
  void addPairs(Token effect, Token principal, Token path);
  void clear();
  /// The smallest form that still says "not here" for nearly all absent values.
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
