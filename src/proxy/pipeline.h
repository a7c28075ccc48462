// The only place that defines the order of the stages.
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
  base::UuidText told_id = {};        ///< ID of a newer decision, if that ended it
};
/// Policy may see the body: the pipeline continues once all of it has arrived.
struct AwaitBody {};
/// What comes next: forwarding, or a wait for the record, for the body, or the end.
using Next = std::variant<authz::Permit, authz::Pending, Stop, AwaitBody>;

/// A request that was allowed is no longer allowed.
struct Ended {
  Cause cause;
  int status = 403;
  std::string public_reason;
  std::string detail;
  base::UuidText id;  ///< of the newer decision
};

///   authenticate   find out who the caller is          before anything is decided or answered
///   classify       find out the protocol               it decides how Yett's own answers look
///   normalize      drop what a client may not send     policy must see what the service will see, and nothing else
///   match          find the route                      the record names it; "no route" is answered after policy
///   tokens         verify those that the route asks for  policy is asked only about callers who are who they say
///   [AwaitBody]    if the route shows it to policy     unless the body cannot change the decision
///   authorize      ask policy                          one record, one answer
///   fit            refuse what cannot be forwarded     after policy, so that nobody learns about hidden routes
///   [Pending]      until the record is on disk
///   annotate       add fields for the service          only now, so that nothing a client sent can appear next to them
/// Each is called on the loop's thread, and keeps no state except the call's.
class Pipeline {
 public:
  /// The head has arrived: starts at the first stage.
  static Next onHead(Call& call, Worker& worker);
  /// The body that policy waited for has arrived: continues at `authorize`.
  static Next onBody(Call& call, Worker& worker);
  /// The record is on disk, or will not be.
  static Next onRecord(Call& call, Worker& worker, authz::Pending pending);
  /// The last stage; the rest is forwarding, which is constructed from the permit.
  static void annotate(Call& call, const authz::Permit& permit, Annotations& out);

  /// Decides again, because the policy has changed during the exchange or the exchange has waited.
  static std::optional<Ended> recheck(Call& call, Worker& worker, Cause cause);
  /// After a wait between the decision and the service: decides again if the wait was long.
  static std::optional<Ended> stillAllowed(Call& call, Worker& worker);

  /// Called directly for a head that is refused before the stages.
  static void authenticate(Call& call);
  static void classify(Call& call);
};

}  // namespace yett::proxy
