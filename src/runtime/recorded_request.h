// A recorded decision as a question again: what policy can be asked about it, and what nobody knows any more.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "audit/reader.h"
#include "identity/principal.h"
#include "policy/check_request.h"
#include "policy/recorded.h"

namespace yett::runtime {

/// Used for one record after the other. One thread.
class RecordedRequest {
 public:
  enum class Taken : uint8_t {
    kYes,
    kNotAsked,  ///< no policy decided it
    kUnknown,   ///< what it takes to ask again is not in the record any more
  };
  /// Headers that a policy sets itself, and takes off every request; null: nobody knows which.
  using Owned = const std::vector<std::string>*;

  /// Takes a record. `owned`: headers that only the policy that is asked may set, as if no client had sent them;
  /// `owned_then`: those of the policy that decided, of which nobody knows whether a client had sent them.
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
