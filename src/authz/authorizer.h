// The authorization stage: one question, one recorded answer. What asks sees neither engines nor the audit log.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "authz/permit.h"
#include "base/metrics.h"
#include "base/units.h"
#include "base/uuid7.h"
#include "policy/policy_set.h"

namespace yett::audit {
class Writer;
}

namespace yett::authz {

/// What was decided, for those who log it. Used again, it keeps its memory.
struct Decided {
  base::UuidText id{};
  bool allow = false;
  std::string policy;  ///< "" by default deny
  std::string rule;
};

/// One loop's authorization stage. Its thread only.
class Authorizer {
 public:
  Authorizer(audit::Writer& writer, base::Metrics& metrics);

  /// Takes the policy that decides in the shadow, or null; hands back the old one.
  std::unique_ptr<policy::PolicyEvaluator> swapShadow(std::unique_ptr<policy::PolicyEvaluator> evaluator);
  const std::vector<std::string>& shadowOwnedHeaders() const { return shadow_->set().ownedHeaders(); }
  bool hasShadow() const { return shadow_ != nullptr; }
  /// What the policy in the shadow would have done: "" where the same, else "allow policy/rule" or "deny policy/rule".
  std::string askShadow(const policy::CheckRequest& request, bool allowed);

  /// Takes a new policy; hands back the old one, which must be destroyed off the loop.
  std::unique_ptr<policy::PolicyEvaluator> swap(std::unique_ptr<policy::PolicyEvaluator> evaluator);

  struct Question {
    const policy::CheckRequest& request;
    std::string_view route;
    std::string_view source;  ///< the peer's address as text
    int64_t now_micros;
    std::string_view refuse =
        {};  ///< not empty: denied for this reason, whatever policy says (an identity that has ended)
  };
  /// Decides and records; `decided` gets what there is to know of it. Without a policy, without a record, on any
  /// exception of an engine: refused. What else throws (memory) ends the connection.
  Answer check(const Question& question, Decided& decided);
  /// A look before the body is here (`awaited` in the request): null where it may be allowed once it is, and nothing is
  /// recorded. Else as check(), whose answer no body could change.
  std::optional<Answer> checkEarly(const Question& question, Decided& decided);

  /// All records up to this ticket are on disk.
  void onDurable(uint64_t ticket) { durable_ = ticket; }
  /// What became of it: a Permit where the record is on disk; a Refusal where it is not and nobody shall wait longer.
  Answer settle(Pending&& pending) const;

  /// Asks again about a request that was allowed and is still under way, after the policy has changed or a wait was
  /// long. Nothing where it still is allowed, and no record; else a record of the denial, and what would have been
  /// answered.
  std::optional<Refusal> recheck(const Question& question, std::string_view cause = "ended by a newer policy");

  /// A peer's address as it may be written down.
  std::string shown(const std::string& source) const;
  /// Its SPIFFE ID likewise.
  std::string shownCaller(const std::string& id) const;
  /// A message that may name the caller between back-ticks likewise.
  std::string shownText(std::string_view text) const;
  /// How often a stream that goes on is recorded.
  base::Millis heartbeat() const;
  /// How much of the room for records that wait for the writer is used: 0 to 1, and up to 4 by what belongs to
  /// decisions that were taken.
  double queueFullness() const;
  /// How long a request may wait for its record to be on disk.
  base::Millis commitTimeout() const;

  /// Headers that only policy may set: to be taken off every request before check().
  const std::vector<std::string>& ownedHeaders() const { return owned_headers_; }

 private:
  void decide(const Question& question);
  void decideSafely(const Question& question);
  Answer answer(const Question& question, Decided& decided);
  uint64_t record(const Question& question, const base::UuidText& id);
  void count();
  audit::Writer& writer_;
  base::Metrics& metrics_;
  base::Histogram& duration_;
  std::array<std::reference_wrapper<base::Counter>, 2> rechecks_;  // by whether it still is allowed
  uint64_t durable_ = 0;
  base::Uuid7Source ids_;
  std::unique_ptr<policy::PolicyEvaluator> evaluator_;
  std::unique_ptr<policy::PolicyEvaluator> shadow_;
  policy::AttributeReader shadow_reader_;
  policy::Decision shadow_decision_;
  policy::AttributeReader reader_;
  policy::Decision decision_;
  std::string reads_;  // of the decision at hand, as JSON
  std::vector<std::string> owned_headers_;
  using Names = std::pair<const char*, const char*>;  // of a policy and its rule, in the policy set
  struct HashNames {
    size_t operator()(const Names& names) const {
      return std::hash<const char*>()(names.first) * 31 + std::hash<const char*>()(names.second);
    }
  };
  std::unordered_map<Names, base::Counter*, HashNames> counters_[4];
  std::map<std::string_view, base::Counter*> shadow_counters_;  // by result
  base::Counter* others_[4] = {};                               // of rules that are too many to have a series each
};

}  // namespace yett::authz
