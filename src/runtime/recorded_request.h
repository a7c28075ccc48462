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
  /// Takes a record; `owned`: headers that only the policy that is asked may set, as if no client had sent them;
  /// `owned_then`: those of the policy that decided, of which nobody knows whether a client had. Says why it cannot be
  /// asked about: "" where it can.
  std::string_view take(const audit::Row& row, std::span<const std::string> owned,
                        std::span<const std::string> owned_then = {});
  const policy::CheckRequest& request() const { return check_; }
  const policy::Recorded& recorded() const { return recorded_; }

 private:
  audit::Row row_;
  identity::Principal principal_;
  policy::CheckRequest check_;
  policy::Recorded recorded_;
};

}  // namespace yett::runtime
