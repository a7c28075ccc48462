// What every rule engine is to the rest: an immutable set, loaded once, and one evaluator of it for each worker.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "policy/attribute_reader.h"
#include "policy/decision.h"

namespace yett::policy {

/// What one decision may cost.
struct Budget {
  uint64_t instructions = 100'000;
  uint64_t memory_bytes = 1 << 20;
};

/// Evaluates one worker's requests, one at a time, on its thread.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  /// Fills `out`, which is clear. Never throws; whatever goes wrong is Effect::kError or a deny with `errors` set.
  virtual void evaluate(AttributeReader& reader, Verdict& out) = 0;
};

/// A line of `yett check` and of the admin page.
struct RuleInfo {
  std::string policy;
  std::string rule;
  bool allow;
  std::string position;  ///< file:line
};

/// One engine's loaded source. Immutable; any thread.
class RuleSet {
 public:
  virtual ~RuleSet() = default;
  /// SHA-256 (hex) over everything that was loaded.
  virtual const std::string& digest() const = 0;
  virtual std::vector<RuleInfo> rules() const = 0;
  /// Slow: never on a loop. The evaluator must not outlive the set.
  virtual Result<std::unique_ptr<Evaluator>> makeEvaluator(const Budget& budget) const = 0;
};

}  // namespace yett::policy
