// The interface of every rule engine: an immutable set, loaded once, and one evaluator of it for each worker.
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
inline constexpr uint64_t kMaxInstructions = 100'000'000;  ///< the most that a configuration may allow
struct Budget {
  uint64_t instructions = 100'000;
  uint64_t memory_bytes = 1 << 20;
};

/// Stores results of conditions across restarts of the program. `load` is called off the event loops; `keep` may be
/// called from any of them.
struct RememberedStore {
  /// Calls back with each row that was kept for this engine.
  std::function<void(std::string_view engine, const std::function<void(std::string_view key, std::string_view value)>&)>
      load;
  /// Stores a row; may drop it.
  std::function<void(std::string_view engine, std::string_view key, std::string_view value)> keep;
};

/// How an evaluator works. What it points to outlives it.
struct EvaluatorOptions {
  Budget budget;
  std::string engine;                                 ///< its name
  size_t remembered_entries = 0;                      ///< results of conditions to remember; 0: none
  uint64_t remembered_bytes = 64 << 20;               ///< and the bytes they may take
  std::shared_ptr<const RememberedStore> remembered;  ///< null: not kept across restarts
  const Recording* recording = nullptr;               ///< what it masks is remembered only in memory; null: nothing
  base::Metrics* metrics = nullptr;                   ///< null: not counted
  /// A rule that uses up this many budgets in a row gets a tenth of the budget for a while; 0: never.
  uint32_t most_spent = 10;
};

/// The outcome of one rule, for people.
struct RuleTrace {
  std::string policy;
  std::string rule;
  std::string position;
  std::string effect;  ///< "allow", "deny", "decide" or "plugin"; with " (audit only)" if it is only recorded
  bool applies = false;
  std::string failed;      ///< the matcher that failed; "" if none did
  std::string wanted;      ///< what that matcher wants: a pattern, a list; for people
  int failures = 0;        ///< matchers that do not match
  std::string got;         ///< what the request has instead
  bool evaluated = false;  ///< its condition ran
  std::string result;      ///< what the condition returned: "true", "false", "permit", "error: ..."
  std::string reason;
  std::string decided_at;  ///< file:line of the last line that ran
  std::vector<std::string> reads;
  std::vector<std::string> sets;  ///< headers that were computed: "name: value"
  std::string undecided;  ///< an unknown value it read, so that the result could be either; "" if all were known
};

/// Evaluates one worker's requests, one at a time, on its thread.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  /// Fills `out`, which must be clear. Any failure becomes Effect::kError, a deny, or an allow that does not
  /// apply, each with `errors` set; only running out of memory throws.
  virtual void evaluate(AttributeReader& reader, Verdict& out) = 0;
  /// Evaluates the audit_only rules: sets `would_deny` of `out` and adds errors to it. Called after all engines have
  /// decided, so that it cannot change the decision.
  virtual void audit(AttributeReader& reader, Verdict& out);
  /// Evaluates every rule separately, in the order of evaluation. Slow. The default does nothing.
  virtual void explain(AttributeReader& reader, std::vector<RuleTrace>& out);
};

/// A line of `yett check` and of the admin page.
struct RuleInfo {
  std::string policy;
  std::string rule;
  const char* effect;    ///< "allow", "deny", "decide" or "plugin"
  std::string position;  ///< file:line
  bool audit_only = false;
  std::vector<target::SegmentPattern> paths = {};  ///< of `path` and `not_path`; no `re`
  std::vector<std::string> trust_domains = {};     ///< of the principals that it wants
  std::vector<std::string> headers = {};           ///< whose values it wants
  std::vector<std::string> providers = {};         ///< of the tokens that it compares
};

/// One engine's loaded source. Immutable; any thread.
class RuleSet {
 public:
  virtual ~RuleSet() = default;
  /// SHA-256 (hex) over every file that it uses.
  virtual const std::string& digest() const = 0;
  /// The type of its engine, as in the configuration.
  virtual const char* type() const = 0;
  /// The files of its source that it uses: name -> bytes; empty for a plugin.
  virtual const std::map<std::string, std::string>& files() const;
  /// Whether loading these files would give the same set again. False for a plugin, which has none.
  virtual bool isOf(const PolicySource& source) const;
  virtual std::vector<RuleInfo> rules() const = 0;
  /// Headers that any rule sets upstream, in lower case: no client may send them.
  virtual std::vector<std::string> ownedHeaders() const = 0;
  /// Differs between two times (seconds since 1970) if a rule began or ceased to apply because of the time of day. 0 if
  /// no rule depends on it.
  virtual uint64_t clockState(int64_t /*seconds*/) const { return 0; }
  /// Warnings for what is valid but hardly intended: "file:line: ...".
  virtual std::vector<std::string> warnings() const = 0;
  /// Files next to the rules that look like rules but are not loaded: "NAME: ...".
  virtual std::vector<std::string> unusedFiles() const { return {}; }
  /// Slow: never on a loop. The evaluator must not outlive the set.
  virtual Result<std::unique_ptr<Evaluator>> makeEvaluator(const EvaluatorOptions& options) const = 0;
};

}  // namespace yett::policy
