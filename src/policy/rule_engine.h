// What every rule engine is to the rest: an immutable set, loaded once, and one evaluator of it for each worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/result.h"
#include "policy/attribute_reader.h"
#include "policy/decision.h"
#include "target/segment_pattern.h"

namespace yett::policy {

class Recording;
struct PolicySource;

/// What one decision may cost.
inline constexpr uint64_t kMaxInstructions = 100'000'000;  ///< that a configuration may allow
struct Budget {
  uint64_t instructions = 100'000;
  uint64_t memory_bytes = 1 << 20;
};

/// Where results of conditions are kept from one run of the program to the next. Both are called off the loops or may
/// be called from any of them.
struct RememberedStore {
  /// Gives each row that was kept for this engine.
  std::function<void(std::string_view engine, const std::function<void(std::string_view key, std::string_view value)>&)>
      load;
  /// Takes a row; may drop it.
  std::function<void(std::string_view engine, std::string_view key, std::string_view value)> keep;
};

/// How an evaluator works. What it points to outlives it.
struct EvaluatorOptions {
  Budget budget;
  std::string engine;                                 ///< its name
  size_t remembered_entries = 0;                      ///< results of conditions to remember; 0: none
  uint64_t remembered_bytes = 64 << 20;               ///< and the bytes they may take
  std::shared_ptr<const RememberedStore> remembered;  ///< null: forgotten at the end
  const Recording* recording = nullptr;               ///< what it masks is remembered in memory alone; null: nothing
  base::Metrics* metrics = nullptr;                   ///< null: not counted
  /// So many budgets used up by one rule, one after another, and it is not run for a while; 0: never mind.
  uint32_t most_spent = 10;
};

/// What became of one rule, for people.
struct RuleTrace {
  std::string policy;
  std::string rule;
  std::string position;
  std::string effect;  ///< "allow", "deny", "decide" or "plugin"; with " (audit only)" where it is only recorded
  bool applies = false;
  std::string failed;      ///< the matcher that failed; "" where none did
  bool evaluated = false;  ///< its condition ran
  std::string result;      ///< what the condition returned: "true", "false", "permit", "error: ..."
  std::string reason;
  std::string decided_at;  ///< file:line of the last line that ran
  std::vector<std::string> reads;
  std::string
      undecided;  ///< what it read that a record does not tell, so that it could be either; "" where it is known
};

/// Evaluates one worker's requests, one at a time, on its thread.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  /// Fills `out`, which is clear. Whatever goes wrong is Effect::kError, a deny, or an allow that does not
  /// apply, each with `errors` set; only a lack of memory throws.
  virtual void evaluate(AttributeReader& reader, Verdict& out) = 0;
  /// Sets `would_deny` of `out`, and notes errors in it: the rules that are only recorded. Called after all engines
  /// have decided, so that it changes no answer.
  virtual void audit(AttributeReader& reader, Verdict& out);
  /// Every rule, each on its own, in the order of evaluation. Slow. The default says nothing.
  virtual void explain(AttributeReader& reader, std::vector<RuleTrace>& out);
};

/// A line of `yett check` and of the admin page.
struct RuleInfo {
  std::string policy;
  std::string rule;
  const char* effect;    ///< "allow", "deny", "decide" or "plugin"
  std::string position;  ///< file:line
  bool audit_only = false;
  std::vector<target::SegmentPattern> paths = {};  ///< that it wants or does not want; no `re`
};

/// One engine's loaded source. Immutable; any thread.
class RuleSet {
 public:
  virtual ~RuleSet() = default;
  /// SHA-256 (hex) over every file that it uses.
  virtual const std::string& digest() const = 0;
  /// The kind of its engine, as the configuration names it.
  virtual const char* type() const = 0;
  /// The files that it uses of what it was loaded from: name -> bytes; empty for a plugin.
  virtual const std::map<std::string, std::string>& files() const;
  /// Whether loading these files would give the same again. A plugin is not made of any: false.
  virtual bool isOf(const PolicySource& source) const;
  virtual std::vector<RuleInfo> rules() const = 0;
  /// Headers that any rule sets upstream, in lower case: no client may send them.
  virtual std::vector<std::string> ownedHeaders() const = 0;
  /// What is allowed but hardly meant: "file:line: ...".
  virtual std::vector<std::string> warnings() const = 0;
  /// Files beside the rules that look like rules and are not loaded: "NAME: ...".
  virtual std::vector<std::string> unusedFiles() const { return {}; }
  /// Slow: never on a loop. The evaluator must not outlive the set.
  virtual Result<std::unique_ptr<Evaluator>> makeEvaluator(const EvaluatorOptions& options) const = 0;
};

}  // namespace yett::policy
