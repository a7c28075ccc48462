// The order of stages: the only place that states it.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "authz/authorizer.h"
#include "base/uuid7.h"
#include "proxy/annotations.h"
#include "proxy/call.h"
#include "proxy/cause.h"

namespace yett::proxy {

class Worker;

/// The request ends here, with this answer.
struct Stop {
  Cause cause;
  int status = 0;                     ///< 0: what the cause says
  std::string detail = {};            ///< for the caller; "": what the cause says
  authz::OpenDecision decision = {};  ///< to be ended with the exchange
  base::UuidText told_id = {};        ///< of a newer decision, where that ended it
};
/// Policy may look at the body: the pipeline goes on once all of it is here.
struct AwaitBody {};
/// What comes next: forwarding, or a wait for the record, for the body, or the end.
using Next = std::variant<authz::Permit, authz::Pending, Stop, AwaitBody>;

/// A request that was allowed is allowed no more.
struct Ended {
  Cause cause;
  int status = 403;
  std::string public_reason;
  std::string detail;
  base::UuidText id;  ///< of the newer decision
};

///   authenticate   who asks                            before anything is decided or said
///   classify       what is spoken                      it says how Yett answers by itself
///   normalize      what a client may not say goes      policy must see what the service will, and nothing else
///   match          the route                           the record names it; that there is none is told after policy
///   [AwaitBody]    where the route lets policy see it  nobody waits for one that can change nothing
///   authorize      one question                        one record, one answer
///   fit            what cannot be forwarded as it is   after policy: nobody learns of routes what policy hides
///   [Pending]      until the record is on disk
///   annotate       what the service is told            only now, so that nothing a client sent can stand beside it
/// Each is called on the loop's thread, and keeps no state but the call's.
class Pipeline {
 public:
  /// The head is here: from the first stage.
  static Next onHead(Call& call, Worker& worker);
  /// The body that policy waited for is here: from `authorize`.
  static Next onBody(Call& call, Worker& worker);
  /// The record is on disk, or will not be.
  static Next onRecord(Call& call, Worker& worker, authz::Pending pending);
  /// The last stage; the rest is forwarding, which is constructed from the permit.
  static void annotate(Call& call, const authz::Permit& permit, Annotations& out);

  /// The policy has changed while the exchange is under way, or it has waited: decides again.
  static std::optional<Ended> recheck(Call& call, Worker& worker, Cause cause = Cause::kNewerPolicy);
  /// After a wait between the decision and the service: asks again where it was long.
  static std::optional<Ended> stillAllowed(Call& call, Worker& worker);

  /// Alone for a head that is refused before the stages.
  static void authenticate(Call& call);
  static void classify(Call& call);
};

}  // namespace yett::proxy
