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

  bool allow() const { return kind == Kind::kAllow; }
  bool deny() const { return kind == Kind::kDeny; }
  std::string position() const { return file + ":" + std::to_string(line); }
  /// Whether it has matchers that neither RuleIndex nor lint compares: any but principal, method, path, host and
  /// source. A matcher forgotten here would be ignored when the index finds the rule.
  bool beyondIndex() const;
  /// The same, or it has a condition.
  bool conditional() const { return condition >= 0 || beyondIndex(); }
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
