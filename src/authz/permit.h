// The answers of the authorization stage. A Permit exists only if the policy allowed the request and the audit log
// accepted the record; it is the only way to an upstream.
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

/// The outcome of a decision. Views: valid during the call that takes it.
struct Outcome {
  int status = 0;  ///< sent to the caller; 0: none was
  std::string_view upstream;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
  int64_t duration_micros = 0;
  std::string_view result;  ///< "complete", or why not
  std::string_view shadow;  ///< "allow" or "deny", and "policy/rule", if the shadow policy decides differently
};

/// The progress of something that is still running.
struct Progress {
  int64_t time_micros = 0;
  int64_t bytes_in = 0;
  int64_t bytes_out = 0;
};

/// A recorded decision that has no outcome yet. end() records its outcome; if nobody calls it, the destructor records
/// "aborted". Its authorizer's thread only.
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

/// Permission to forward one request, with the obligations of the policy. Only Authorizer makes one. Forwarding is
/// constructed from it and keeps it over every attempt; a moved-from one permits nothing.
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
  /// The request is not forwarded after all; the caller still has to record why.
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
  /// False: there was no room for the record, or it was not on disk in time. From recheck(), the policy's answer is
  /// valid even so.
  bool recorded = true;
  int status = 403;           ///< of the rule; 0 if only the record is missing: then the proxy chooses the status
  std::string public_reason;  ///< "" if the rule has none
  base::UuidText id = {};
  OpenDecision decision = {};  ///< of a denial: must be ended. From recheck(): already ended
};

/// Allowed, but its record is not on disk yet: Authorizer::settle() returns the Permit later, on the same loop.
class Pending {
 public:
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&&) noexcept = default;
  /// The record's ticket: the record is durable once all tickets up to it are.
  uint64_t ticket() const { return ticket_; }
  /// For its progress and outcome; the Permit itself stays here.
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
