// The authorization stage: one question, one recorded answer. Its callers see neither engines nor the audit log.
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

/// What was decided, for logging. Keeps its memory when reused.
struct Decided {
  base::UuidText id{};
  bool allow = false;
  std::string policy;  ///< "" for the default deny
  std::string rule;
};

/// One loop's authorization stage. Its thread only.
class Authorizer {
 public:
  Authorizer(audit::Writer& writer, base::Metrics& metrics);

  /// Sets the shadow policy, or none if null; returns the old one.
  std::unique_ptr<policy::PolicyEvaluator> swapShadow(std::unique_ptr<policy::PolicyEvaluator> evaluator);
  const std::vector<std::string>& shadowOwnedHeaders() const { return shadow_->set().ownedHeaders(); }
  bool hasShadow() const { return shadow_ != nullptr; }
  /// What the shadow policy would have done: "" if the same, else "allow policy/rule" or "deny policy/rule".
  std::string askShadow(const policy::CheckRequest& request, bool allowed);

  /// Sets a new policy; returns the old one, which must be destroyed off the loop.
  std::unique_ptr<policy::PolicyEvaluator> swap(std::unique_ptr<policy::PolicyEvaluator> evaluator);

  struct Question {
    const policy::CheckRequest& request;
    std::string_view route;
    std::string_view source;  ///< the peer's address as text
    int64_t now_micros;
    std::string_view refuse =
        {};  ///< not empty: denied for this reason, whatever policy says (such as an expired identity)
    std::string_view refuse_rule = "identity";  ///< the rule of such a denial; a literal
  };
  /// Decides and records; `decided` gets the details. Refuses without a policy, without a record, or if an engine
  /// throws. Other exceptions (out of memory) end the connection.
  Answer check(const Question& question, Decided& decided);
  /// Decides before the body has arrived (`awaited` in the request). If some body could get it allowed, returns nothing
  /// and records nothing. Else as check(): no body could change the answer.
  std::optional<Answer> checkEarly(const Question& question, Decided& decided);

  /// All records up to this ticket are on disk.
  void onDurable(uint64_t ticket) { durable_ = ticket; }
  bool isDurable(uint64_t ticket) const { return ticket <= durable_; }
  /// In `strict` mode, records that a request is about to be sent again: `number` 2 is the first time. It may be sent
  /// once the ticket isDurable(). 0, and nothing is recorded: at once, since the outcome will tell.
  uint64_t recordAttempt(const Permit& permit, int number, std::string_view why);
  /// The final answer: a Permit if the record is on disk; a Refusal if it was not recorded in time.
  Answer settle(Pending&& pending) const;

  /// Decides again about an allowed in-flight request, after a change of policy or a long wait. If it is still allowed,
  /// returns nothing and records nothing; else records the denial and returns the refusal.
  std::optional<Refusal> recheck(const Question& question, std::string_view cause = "ended by a newer policy");

  /// A peer's address as it may be logged: masked if configured.
  std::string shown(const std::string& source) const;
  /// Its SPIFFE ID likewise.
  std::string shownCaller(const std::string& id) const;
  /// Likewise a message that may quote the caller in backticks.
  std::string shownText(std::string_view text) const;
  /// How often the progress of a long exchange is recorded.
  base::Millis heartbeat() const;
  /// How full the writer's queue of records is: 0 to 1, and up to 4 because of records that belong to accepted
  /// decisions.
  double queueFullness() const;
  /// How long a request may wait for its record to be on disk.
  base::Millis commitTimeout() const;

  /// As PolicySet::clockState(), of the policy in force.
  uint64_t clockState(int64_t seconds) const { return evaluator_ ? evaluator_->set().clockState(seconds) : 0; }
  /// Headers that only policy may set: must be removed from every request before check().
  const std::vector<std::string>& ownedHeaders() const { return owned_headers_; }

  /// Makes the series of a rule's decisions before the first of them.
  static void showRule(base::Metrics& metrics, bool allow, std::string_view policy, std::string_view rule);
  /// The same for decisions of the shadow policy.
  static void showShadow(base::Metrics& metrics);

 private:
  void decide(const Question& question);
  void decideSafely(const Question& question);
  Answer answer(const Question& question, Decided& decided);
  uint64_t record(const Question& question, const base::UuidText& id);
  void count();
  audit::Writer& writer_;
  base::Metrics& metrics_;
  base::Histogram& duration_;
  std::array<std::reference_wrapper<base::Counter>, 2> rechecks_;  // by whether it is still allowed
  uint64_t durable_ = 0;
  base::Uuid7Source ids_;
  std::unique_ptr<policy::PolicyEvaluator> evaluator_;
  std::unique_ptr<policy::PolicyEvaluator> shadow_;
  policy::AttributeReader shadow_reader_;
  policy::Decision shadow_decision_;
  policy::AttributeReader reader_;
  policy::Decision decision_;
  std::string reads_;  // of the current decision, as JSON
  std::vector<std::string> owned_headers_;
  using Names = std::pair<const char*, const char*>;  // of a policy and its rule, in the policy set
  struct HashNames {
    size_t operator()(const Names& names) const {
      return std::hash<const char*>()(names.first) * 31 + std::hash<const char*>()(names.second);
    }
  };
  std::unordered_map<Names, base::Counter*, HashNames> counters_[4];
  std::map<std::string_view, base::Counter*> shadow_counters_;  // by result
  base::Counter* others_[4] = {};                               // for rules beyond kMaxSeries
};

}  // namespace yett::authz
