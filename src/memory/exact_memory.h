// Remembers results of conditions by exactly what they read: a deterministic function that reads the same values takes
// the same path. A rule has up to eight shapes (lists of attributes that a run has read). The values of a shape form a
// key; a hit compares all of it. Bounded; evicts the least recently used results (CLOCK). One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "policy/attribute_reader.h"
#include "policy/rule_engine.h"

namespace yett::memory {

/// The result of a condition, and its cost.
struct Remembered {
  uint8_t answer = 0;  ///< as numbered by its engine
  std::string_view reason;
  std::string_view public_reason;
  uint64_t instructions = 0;
  uint64_t bytes = 0;
  int64_t expires = 0;  ///< seconds since 1970; 0: never
  bool lasting = true;  ///< may be written to disk
};

class ExactMemory {
 public:
  /// `policies`: each rule's policy, by its number, for the metrics.
  ExactMemory(const policy::EvaluatorOptions& options, const std::vector<std::string_view>& policies);

  bool enabled() const { return most_entries_ > 0; }

  /// The result of `rule` for this request, if it is remembered. `out` points into the memory until the next keep().
  /// Records no reads.
  bool find(uint32_t rule, policy::AttributeReader& reader, Remembered& out);
  /// Records, as reads of this decision, the reads behind the result of the last successful find(). False if one is
  /// refused.
  bool noteReads(policy::AttributeReader& reader);
  /// Count the last find() as used, or as not usable.
  void countHit(uint32_t rule);
  void countMiss(uint32_t rule);

  /// Remembers the result of `rule` under the reads of the reader's window.
  void keep(uint32_t rule, policy::AttributeReader& reader, const Remembered& result);
  size_t size() const { return used_; }

 private:
  struct Attribute {
    policy::Attr attr;
    std::string key;
    bool operator==(const Attribute&) const = default;
  };
  struct Shape {
    uint32_t number;
    std::vector<Attribute> attributes;
    bool lasting = true;  // may be written to disk
  };
  struct Counters {
    base::Counter* hits;
    base::Counter* misses;
    base::Counter* uncacheable;
    base::Counter* evictions;
  };
  struct RuleState {
    std::vector<Shape> shapes;  // newest use first
    uint32_t counters = 0;
    uint32_t kept = 0;
    uint32_t hits = 0;
    uint32_t skipped = 0;
  };
  struct Item {
    uint64_t hash = 0;
    uint32_t rule = 0;
    uint32_t key_size = 0;
    uint32_t reason_size = 0;
    uint8_t answer = 0;
    bool used = false;
    bool touched = false;
    uint64_t instructions = 0;
    uint64_t cost_bytes = 0;
    int64_t expires = 0;
    std::string bytes;  // key, reason, public reason
  };

  /// The key of this request for a shape, in key_, its values in values_; "" if it is too long or not known yet.
  std::string_view encode(uint32_t rule, const Shape& shape, policy::AttributeReader& reader);
  Shape* shapeOf(uint32_t rule, std::vector<Attribute> attributes);
  const uint32_t* lookup(uint64_t hash, std::string_view key) const;
  void insert(uint32_t rule, std::string_view key, const Remembered& result);
  void erase(uint32_t item);
  uint32_t place();
  void persist(uint32_t rule, const Shape& shape, std::string_view key, const Remembered& result);
  void restore(std::string_view key, std::string_view value);

  const size_t most_entries_;
  const uint64_t most_bytes_;
  const std::string engine_;
  const std::shared_ptr<const policy::RememberedStore> store_;
  const policy::Recording* const recording_;
  const uint64_t seed_;
  base::Metrics own_metrics_;
  std::vector<Counters> counters_;
  std::vector<RuleState> rules_;
  std::vector<Item> items_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> table_;  // item + 1, or 0
  uint32_t hand_ = 0;
  uint32_t next_shape_ = 0;
  size_t used_ = 0;
  uint64_t bytes_ = 0;
  std::vector<char> key_;
  std::vector<policy::AttrValue> values_;
  const Shape* found_ = nullptr;
};

}  // namespace yett::memory
