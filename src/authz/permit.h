// What the authorization stage answers. A Permit exists only where the policy allowed the request and the audit log
// took the record; it is the only way to an upstream.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/uuid7.h"
#include "policy/decision.h"

namespace yett::audit {
class Writer;
}

namespace yett::authz {

/// What came of a decision. Views: valid during the call that takes it.
struct Outcome {
  int status = 0;  ///< sent to the caller; 0: none was
  std::string_view upstream;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t duration_micros = 0;
  std::string_view result;  ///< "complete", or why not
  std::string_view shadow;  ///< "allow" or "deny", and "policy/rule", where the policy in the shadow decides otherwise
};

/// How far something has come that goes on.
struct Progress {
  int64_t time_micros = 0;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
};

/// A decision that was recorded and has not ended yet. Ended once, with what came of it; if nobody does, its destructor
/// says "aborted". Its authorizer's thread only.
class OpenDecision {
 public:
  OpenDecision() = default;
  OpenDecision(OpenDecision&& other) noexcept
      : writer_(std::exchange(other.writer_, nullptr)), ticket_(other.ticket_) {}
  OpenDecision& operator=(OpenDecision&& other) noexcept;
  ~OpenDecision();
  /// The second call, and any on a decision that is not open, does nothing.
  void end(const Outcome& outcome);
  void beat(const Progress& progress);
  bool open() const { return writer_ != nullptr; }

 private:
  friend class Authorizer;
  OpenDecision(audit::Writer& writer, uint64_t ticket) : writer_(&writer), ticket_(ticket) {}
  audit::Writer* writer_ = nullptr;
  uint64_t ticket_ = 0;
};

/// Leave to forward one request, and what policy asks for with it. Only Authorizer makes one. Forwarding is constructed
/// from it and keeps it over every attempt; one that was moved from is good for nothing.
class Permit {
 public:
  Permit(Permit&&) noexcept = default;
  Permit& operator=(Permit&&) noexcept = default;

  /// False once it was moved from, or its decision has ended.
  bool good() const { return decision_.open(); }
  const base::UuidText& id() const { return id_; }
  const policy::Obligations& obligations() const { return obligations_; }
  OpenDecision& decision() { return decision_; }
  const OpenDecision& decision() const { return decision_; }
  /// The request is not forwarded after all: what is left is to say why.
  OpenDecision giveUp() && { return std::move(decision_); }

 private:
  friend class Authorizer;
  Permit(const base::UuidText& id, const policy::Obligations* obligations, OpenDecision decision)
      : id_(id),
        obligations_(obligations != nullptr ? *obligations : policy::Obligations{}),
        decision_(std::move(decision)) {}
  base::UuidText id_;
  policy::Obligations obligations_;
  OpenDecision decision_;
};

/// The request ends here, with this answer.
struct Refusal {
  /// False: there is no room for the record, or it is not on disk in time. Of recheck() the policy's answer stands
  /// beside.
  bool recorded = true;
  int status = 403;           ///< of the rule; 0 where the record alone is wanting, which the proxy has an answer for
  std::string public_reason;  ///< "" where the rule has none
  base::UuidText id = {};
  OpenDecision decision = {};  ///< of a denial: to be ended. Of recheck(): has ended
};

/// Allowed, and its record not on disk yet: the Permit comes later, on the same loop, by Authorizer::settle().
class Pending {
 public:
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&&) noexcept = default;
  /// The record's ticket: it counts once all up to it are durable.
  uint64_t ticket() const { return ticket_; }
  /// For its progress and its end; the leave itself stays where it is.
  OpenDecision& decision() { return permit_.decision(); }
  const OpenDecision& decision() const { return permit_.decision(); }
  /// As Permit::giveUp().
  OpenDecision giveUp() && { return std::move(permit_).giveUp(); }

 private:
  friend class Authorizer;
  Pending(uint64_t ticket, Permit permit) : ticket_(ticket), permit_(std::move(permit)) {}
  uint64_t ticket_;
  Permit permit_;
};

using Answer = std::variant<Permit, Refusal, Pending>;

}  // namespace yett::authz
