// The authorization stage: one question, one recorded answer. A Permit exists only where the policy allowed the request
// and the audit log took the record; it is the only way to an upstream.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>

#include "audit/writer.h"
#include "base/metrics.h"
#include "base/uuid7.h"
#include "policy/policy_set.h"

namespace yett::authz {

/// A decision that was recorded and is not ended yet. Ended once, with what came of it; if nobody does, its destructor
/// says "aborted".
class OpenDecision {
 public:
  OpenDecision() = default;
  OpenDecision(OpenDecision&& other) noexcept
      : writer_(std::exchange(other.writer_, nullptr)), ticket_(other.ticket_) {}
  OpenDecision& operator=(OpenDecision&& other) noexcept;
  ~OpenDecision();
  void end(const audit::OutcomeRecord& outcome);
  /// It goes on: how far it has come.
  void beat(const audit::HeartbeatRecord& heartbeat);
  bool open() const { return writer_ != nullptr; }

 private:
  friend class Authorizer;
  OpenDecision(audit::Writer& writer, uint64_t ticket) : writer_(&writer), ticket_(ticket) {}
  audit::Writer* writer_ = nullptr;
  uint64_t ticket_ = 0;
};

/// Leave to forward one request. Only Authorizer makes one; it is used up by forwarding.
class Permit {
 public:
  Permit(Permit&&) noexcept = default;
  Permit& operator=(Permit&&) noexcept = default;

 private:
  friend class Authorizer;
  Permit() = default;
};

/// The request ends here, with this answer.
struct Refusal {
  int status = 403;
  std::string public_reason;  ///< "" where the rule has none
  base::UuidText id = {};     ///< of recheck(): its own decision's
};

/// Allowed, and its record not on disk yet: the answer comes later, on the same loop, by Authorizer::settle().
class Pending {
 public:
  /// The record's ticket: it counts once all up to it are durable.
  uint64_t ticket() const { return ticket_; }

 private:
  friend class Authorizer;
  explicit Pending(uint64_t ticket) : ticket_(ticket) {}
  uint64_t ticket_;
};

using Answer = std::variant<Permit, Refusal, Pending>;

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
  /// Decides and records. `id` gets the decision's id, `open` the decision to be ended. Without a policy, without a
  /// record, on any exception: refused.
  Answer check(const Question& question, base::UuidText& id, OpenDecision& open);
  /// A look before the body is here (`awaited` in the request): null where it may be allowed once it is, and nothing is
  /// recorded. Else as check(), whose answer no body could change.
  std::optional<Answer> checkEarly(const Question& question, base::UuidText& id, OpenDecision& open);

  /// All records up to this ticket are on disk.
  void onDurable(uint64_t ticket) { durable_ = ticket; }
  /// What became of it: a Permit where the record is on disk; a Refusal where it is not and nobody shall wait longer.
  Answer settle(const Pending& pending) const;

  /// Asks again about a request that was allowed and is still under way, after the policy has changed or a wait was
  /// long. Nothing where it still is allowed, and no record; else a record of the denial, and what would have been
  /// answered.
  std::optional<Refusal> recheck(const Question& question, std::string_view cause = "ended by a newer policy");

  /// A peer's address as it may be written down.
  std::string shown(std::string source) const {
    return writer_.recording().masks(policy::Attr::kSourceIp, {}) ? writer_.recording().masked(source) : source;
  }
  /// Its SPIFFE ID likewise.
  std::string shownCaller(const std::string& id) const;
  /// A message that may name the caller between back-ticks likewise.
  std::string shownText(std::string_view text) const;
  /// How often a stream that goes on is recorded.
  base::Millis heartbeat() const { return writer_.config().heartbeat; }
  /// Half of the records that may wait for the writer do.
  bool recordsCrowded() const { return writer_.crowded(); }
  /// How long a request may wait for its record to be on disk.
  base::Millis commitTimeout() const { return writer_.config().commit_timeout; }

  /// Headers that only policy may set: to be taken off every request before check().
  const std::vector<std::string>& ownedHeaders() const { return owned_headers_; }
  /// The decision of the last check(), for the access log. Its obligations are valid until the policy changes.
  const policy::Decision& last() const { return decision_; }

 private:
  void decide(const Question& question);
  void decideSafely(const Question& question);
  Answer answer(const Question& question, base::UuidText& id, OpenDecision& open);
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
  base::Counter* others_[4] = {};  // of rules that are too many to have a series each
};

}  // namespace yett::authz
