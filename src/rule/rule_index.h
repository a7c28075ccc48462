// Finds the rules that may apply to a request at a cost that does not grow with their number: tuple space search. Each
// rule has a shape (which path segments are literal and how many there are, the same for the principal, exact or
// wildcard host, method or none, length of the source prefix). One hash table holds all rules under their shape and
// literals; a request probes each shape that fits it. Path expressions form one automaton. Immutable; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/huge_vector.h"
#include "policy/attribute_reader.h"
#include "rule/rule.h"
#include "target/regex.h"
#include "target/segment_pattern.h"

namespace yett::rule {

class RuleIndex {
 public:
  /// One way to reach a rule, with everything that evaluation needs of most rules close together: with many rules,
  /// memory access limits the speed. The literals to compare follow it.
  struct alignas(64) Record {
    std::string_view policy;
    std::string_view name;
    uint32_t next;  // record of a later rule under the same key; 0: none
    uint32_t rule;
    uint32_t shape;
    Rule::Kind kind;
    bool plain : 1;  // no condition, texts or obligations: the record suffices
    bool slash_counts : 1;
    bool slash : 1;     // if it counts: whether the path must end with a slash
    bool whole : 1;     // the literals do not suffice: evaluate the rule's matchers
    bool path : 1;      // it has a path pattern
    bool fold : 1;      // ignores ASCII case of the path
    bool captures : 1;  // a condition may need the captures of its only path pattern
  };

  /// REQUIRES: `rules` is in the order of evaluation and outlives the index, unchanged.
  explicit RuleIndex(std::span<const Rule> rules);

  /// The state of a search, reused between requests. One thread.
  class Search {
   public:
    /// Starts the search for a request.
    void start(const RuleIndex& index, policy::AttributeReader& reader);
    /// The next rule that matches natively, in the order of evaluation, each once; false when there are no more. `path`
    /// is as in matches() if a condition may need its captures, else null. `record` lives as long as the index.
    bool next(const Record*& record, const target::SegmentPattern*& path);

   private:
    friend class RuleIndex;
    struct Part {
      std::string_view text;
      uint64_t hash;
    };
    /// The remaining records under one key.
    struct Span {
      const Record* now;
      uint32_t shape;
    };
    void split(std::string_view path, bool fold, std::vector<Part>& parts) const;
    bool verify(const Record& record, uint32_t shape) const;
    Span* least();

    const RuleIndex* index_ = nullptr;
    policy::AttributeReader* reader_ = nullptr;
    std::vector<Part> path_;       // segments
    std::vector<Part> principal_;  // trust domain, then segments; views into the two below
    std::string trust_domain_;
    std::string principal_path_;
    bool slash_ = false;
    bool heaped_ = false;
    Span* least_ = nullptr;
    std::array<std::vector<uint64_t>, 5> hashes_;  // by dimension and look; 0: does not match
    std::vector<Span> spans_;
    bool moved_ = false;                                 // the least span's first entry has been returned
    std::vector<std::pair<uint64_t, uint32_t>> probes_;  // hash and shape
    std::vector<int> expressions_;
    uint32_t last_ = UINT32_MAX;
  };

  /// Distinct shapes, which determine the cost of a search.
  size_t shapes() const { return shapes_.size(); }
  size_t expressions() const { return regexes_.size(); }

 private:
  enum Dimension : size_t { kPath, kPrincipal, kHost, kMethod, kSource };
  /// How a shape compares one dimension of a request.
  struct Look {
    enum class Kind : uint8_t { kAny, kAuthenticated, kExact, kSegments, kEnds, kSuffix, kPrefix };
    Kind kind = Kind::kAny;
    uint8_t count = 0;  // segments, labels or bits
    bool rest = false;
    uint32_t mask = 0;  // segments that are literal
    uint32_t tail = 0;  // of kEnds: those after a `**`, counted from the last
    auto operator<=>(const Look&) const = default;
  };
  struct Shape {
    std::array<uint16_t, 5> looks;
    auto operator<=>(const Shape&) const = default;
  };
  /// Where the records under a hash begin. Colliding hashes with one tag share a slot; verify() tells records apart.
  struct Slot {
    uint32_t tag = 0;  // 0 if the slot is empty
    uint32_t record = 0;
  };
  class Builder;

  uint64_t hashOf(Dimension dimension, const Look& look, const Search& search) const;
  const Record* at(uint32_t record) const {
    return record == 0 ? nullptr : reinterpret_cast<const Record*>(records_.data() + record);
  }
  static uint32_t tagOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 32) | 1; }
  /// The slot of the hash, or the empty slot where it belongs.
  size_t slotOf(uint64_t hash) const;

  std::span<const Rule> rules_;
  std::array<std::vector<Look>, 5> looks_;
  std::vector<Shape> shapes_;
  base::HugeVector<Slot> slots_;
  base::HugeVector<char> records_;
  target::RegexSet regexes_;
  std::vector<uint32_t> regex_records_;  // the first record of each expression, by place in the set
};

}  // namespace yett::rule
