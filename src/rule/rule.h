// One rule in native form, whatever language wrote it. Immutable after load; any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/decision.h"
#include "policy/rule_engine.h"
#include "rule/matchers.h"
#include "target/segment_pattern.h"

namespace yett::rule {

/// A header whose value depends on the request. If it cannot be computed, the allow does not apply.
struct ComputedHeader {
  std::string name;
  int function = -1;  ///< index of its function in the engine; -1: a copy of an attribute
  policy::Attr attribute = policy::Attr::kMethod;
  std::string key = {};  ///< of the attribute
};

struct Rule {
  enum class Kind : uint8_t {
    kDeny,
    kDecide,  ///< a program: may permit, refuse or abstain
    kAllow,
  };
  std::string policy;
  std::string name;
  Kind kind = Kind::kDeny;
  bool exact_case = false;  ///< `case = "exact"`: even a wide reading compares exact spelling
  bool audit_only = false;  ///< of a deny: only recorded
  int status = 403;
  int line = 0;
  int condition = -1;       ///< index of its `when` or program in the engine, or -1
  int64_t ttl_seconds = 0;  ///< 0: results that depend on the time are not remembered
  std::string file;
  std::string reason;
  std::string public_reason;
  Matchers wanted;
  std::unique_ptr<Matchers> unwanted;  ///< the `not_` twins; null for none
  std::unique_ptr<policy::Obligations> obligations;
  /// Headers that an allow sets to a value of the request, or to what a function returns.
  std::vector<ComputedHeader> computed;
  uint32_t first_slot = 0;  ///< of `computed`; see RuleBook::slots()

  bool allow() const { return kind == Kind::kAllow; }
  bool deny() const { return kind == Kind::kDeny; }
  std::string position() const { return file + ":" + std::to_string(line); }
  /// Whether it has matchers that neither RuleIndex nor lint compares: any but principal, method, path, host and
  /// source. A matcher forgotten here would be ignored when the index finds the rule.
  bool beyondIndex() const;
  /// The same, or it has a condition.
  bool conditional() const { return condition >= 0 || beyondIndex(); }
  /// Whether it may need the captures of its path.
  bool captures() const { return condition >= 0 || !computed.empty(); }
};

/// Evaluates the matchers one by one, natively, without policy code. An allow is read narrowly: every matcher must be
/// certain. A deny is read widely: a doubt is a match. A `not_` twin is read the other way round, and an absent value
/// is a doubt for it. `path` is the pattern that matched, for its captures. `failed`, if not null, gets the name of the
/// first matcher that failed.
bool matches(const Rule& rule, policy::AttributeReader& reader, const target::SegmentPattern*& path,
             const char** failed = nullptr);

/// How many of its matchers do not match. Slow: for explanations.
int failuresOf(const Rule& rule, policy::AttributeReader& reader);

/// The order of evaluation: denies and programs, then allows; each by (policy, name) bytewise.
bool evaluatedBefore(const Rule& a, const Rule& b);

/// How rules appear in lists.
policy::RuleInfo infoOf(const Rule& rule);

}  // namespace yett::rule
