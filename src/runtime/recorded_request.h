// Turns a recorded decision back into a request for policy, and tracks what is no longer known about it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "audit/reader.h"
#include "identity/principal.h"
#include "policy/check_request.h"
#include "policy/recorded.h"

namespace yett::runtime {

/// Can be reused for one record after the other. One thread.
class RecordedRequest {
 public:
  enum class Taken : uint8_t {
    kYes,
    kNotAsked,  ///< no policy decided it
    kUnknown,   ///< the record no longer has what is needed to decide again
  };
  /// Headers that a policy sets itself and removes from every request; null: unknown.
  using Owned = const std::vector<std::string>*;

  /// Takes a record. `owned`: headers that only the evaluated policy may set; treated as not sent. `owned_then`: those
  /// of the policy that decided; it is unknown whether a client had sent them.
  Taken take(const audit::Row& row, std::span<const std::string> owned, Owned owned_then);
  /// Why the last one was not taken.
  std::string_view why() const { return why_; }
  const policy::CheckRequest& request() const { return check_; }
  const policy::Recorded& recorded() const { return recorded_; }

 private:
  Taken refuse(Taken how, std::string_view why);
  void forgetOwned(std::span<const std::string> owned, Owned owned_then);

  std::string_view why_;
  audit::Row row_;
  identity::Principal principal_;
  policy::CheckRequest check_;
  policy::Recorded recorded_;
};

}  // namespace yett::runtime
